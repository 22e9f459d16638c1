"""What `benchmarks.seed_ranking` ranks seeds by: the attention of a run, and scores of it, after any number of model calls.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import comfy.sample
import numpy as np
import torch
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model
from headcount.bridge.isac.patched_model import with_runs
from headcount.bridge.prompts.conditionings import carried_counts, counted_conditionings
from headcount.core.attention import (
    Grid,
    aggregate,
    largest_grid,
    mean_over_layers,
    noun_columns,
    noun_instances,
    smoothed,
)
from headcount.core.isac import (
    AnchoredObjective,
    LossWeights,
    anchored_losses,
    instance_to_class,
    paper_losses,
    place_strengths,
    places_score,
    relative_strengths,
)

from .prompts import Case
from .sampling import SHAPES_SAMPLING, Generator, sample
from .store import KeptFiles, file_digest

STEPS, SEEDS = SHAPES_SAMPLING.steps, 8
LAYERS = {
    "16x16 input": lambda call: call.grid == (16, 16) and call.layer.startswith("input"),
    "16x16 output": lambda call: call.grid == (16, 16) and call.layer.startswith("output"),
    "16x16": lambda call: call.grid == (16, 16),
    "8x8": lambda call: call.grid == (8, 8),
    "all": lambda call: True,
}
Record = dict[str, np.ndarray]  # error (8,), counts (k,), per layers: heat (20, 8, k, P), paper and anchored (20, 2, 8)


class _Recording:
    """Takes what the scores need out of each model call of a run."""

    why_nothing = ""

    def __init__(self, guider: Any, family: Any, kept: dict[str, list]) -> None:
        self._counted = counted_conditionings(guider.conds["positive"], "the benchmark", family)[0]
        self._family, self._kept, self._capture = family, kept, None

    def before_step(self, x: torch.Tensor, _: Any, model_options: dict[str, Any], __: int) -> dict[str, Any]:
        self.finish()
        reader = self._family.reader((x.shape[-2], x.shape[-1]))
        self._capture = Capture(reader, uuid=self._counted.conditioning.get("uuid"))
        return hooked_options(model_options, self._capture)

    def finish(self) -> None:
        if self._capture is None:
            return
        target = self._counted.target
        for name, chosen in LAYERS.items():
            calls = [call for call in self._capture.sink.calls if chosen(call)]
            cross = mean_over_layers(calls, "cross", largest_grid(calls))
            heat = torch.stack([noun_columns(item, target.tokens).T for item in cross])
            self._kept.setdefault(f"heat {name}", []).append(heat.half().numpy())
            losses = (
                paper_losses(aggregate(calls), target, LossWeights(0.5, 0.5)),
                anchored_losses(calls, AnchoredObjective(target)),
            )
            for kind, found in zip(("paper", "anchored"), losses, strict=True):
                self._kept.setdefault(f"{kind} {name}", []).append(np.stack([found.instance, found.semantic]))
        self._capture = None


@torch.inference_mode()
def record(generator: Generator, case: Case) -> Record:
    """Sample one prompt from all seeds at once."""
    kept: dict[str, list] = {}
    start_run = lambda guider, _, family: _Recording(guider, family, kept)  # noqa: E731
    model, _ = with_runs(generator.loaded.model, "ranking", RunNotes("the benchmark"), start_run)
    one = generator.sampling(case.prompt, seed=1)
    noise = torch.cat([comfy.sample.prepare_noise(one.latent, 100 * case.seed + seed) for seed in range(SEEDS)])
    samples = sample(replace(one, model=model, latent=one.latent.repeat(SEEDS, 1, 1, 1)), noise)
    error = np.array([case.error(case.count(picture)) for picture in generator.pixels(samples)])
    return {
        "error": error,
        "counts": np.array([item.count for item in carried_counts(one.positive[0][1]).objects]),
        **{name: np.stack(steps) for name, steps in kept.items()},
    }


def gap(heat: torch.Tensor, grid: Grid, counts: tuple[int, ...]) -> torch.Tensor:
    """How much stronger the last asked place is than the next one."""
    places = relative_strengths(place_strengths(heat, grid, max(counts) + 1, counts), counts)
    return sum(places[:, noun, count] - places[:, noun, count - 1] for noun, count in enumerate(counts))


def counted_peaks(heat: torch.Tensor, grid: Grid, counts: tuple[int, ...]) -> torch.Tensor:
    """Peaks of at least half of the highest one, against those asked for."""
    maps = smoothed(heat.flatten(0, 1), grid).reshape(*heat.shape[:2], *grid)
    found = [[len(noun_instances(noun, 0.5)) for noun in item] for item in maps]
    return (torch.tensor(found) - torch.tensor(counts)).abs().sum(1)


ON_HEAT: dict[str, Callable[..., torch.Tensor]] = {"places": places_score, "gap": gap, "peaks": counted_peaks}
NAMES = (*ON_HEAT, "anchored", "paper", "paper, summed over the steps")
_INSTANCE = np.array([instance_to_class(step, STEPS).instance for step in range(STEPS)])[:, None]


def score_at(run: Record, name: str, layers: str, after: int) -> np.ndarray:
    """(8,) scores after so many model calls, lower is better."""
    if name == "anchored":
        return run[f"anchored {layers}"][after - 1].sum(0)
    if name.startswith("paper"):
        losses = run[f"paper {layers}"]
        weighted = _INSTANCE * losses[:, 0] + (1 - _INSTANCE) * losses[:, 1]
        return weighted[after - 1] if name == "paper" else weighted[:after].sum(0)
    heat = torch.from_numpy(run[f"heat {layers}"][after - 1]).float()
    side = int(heat.shape[-1] ** 0.5)
    return ON_HEAT[name](heat, (side, side), tuple(run["counts"].tolist())).numpy()


def load_runs(cases: list[Case], out: Path, report: Callable[[str], None]) -> list[Record]:
    """One record per case; those in the folder `out` are read, the others sampled."""
    kept, weights, runs = KeptFiles(out), file_digest(WEIGHTS), []
    generator = cache(lambda: Generator(load_shapes_model()))

    def sampled(number: int, case: Case) -> Record:
        found = record(generator(), case)
        report(f"{number} of {len(cases)} prompts")
        return found

    for number, case in enumerate(cases, 1):
        key = {"weights": weights, "seed": case.seed, "prompt": case.prompt}
        runs.append(kept.arrays(key, lambda n=number, c=case: sampled(n, c)))
    return runs
