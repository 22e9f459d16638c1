"""Which score of a seed's attention tells early whether its picture will count right?

`python -m benchmarks.seed_ranking` samples every prompt from 8 seeds with the Shapes model, records the attention of the
sampler's own calls, counts the pictures exactly, and prints how well each score ranks the seeds of a prompt, and how
often the picture of the best one is exact. Scores and their constants were chosen on one half of the prompts (--half
choose); what is printed by default is the other half. Finished prompts are kept in --out and not sampled again.
"""

from __future__ import annotations

import argparse
import hashlib
from collections.abc import Callable, Iterator, Sequence
from itertools import product
from math import comb
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import rankdata

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from headcount.bridge.attention.capture import Capture  # noqa: E402
from headcount.bridge.attention.hook import hooked_options  # noqa: E402
from headcount.bridge.comfyui.run_notes import RunNotes  # noqa: E402
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.isac.patched_model import with_runs  # noqa: E402
from headcount.bridge.prompts.conditionings import counted_conditionings  # noqa: E402
from headcount.bridge.prompts.token_positions import encode_count_prompt  # noqa: E402
from headcount.core.attention import (  # noqa: E402
    Grid,
    aggregate,
    largest_grid,
    mean_over_layers,
    noun_columns,
    noun_instances,
    smoothed,
)
from headcount.core.isac import (  # noqa: E402
    LossWeights,
    Stage,
    anchored_losses,
    instance_to_class,
    paper_losses,
    place_strengths,
    places_score,
    relative_strengths,
    successive_halving,
    top_k,
)

from .effect_cases import Case, Outcome, make_cases  # noqa: E402
from .effect_table import interval  # noqa: E402

STEPS, CFG, SAMPLER, SCHEDULER, SEEDS = 20, 3.0, "euler", "simple", 8
AFTER = (3, 5, 6, 7, 8, 10, 20)  # model calls
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

    def at_state(self, x: torch.Tensor, _: Any, model_options: dict[str, Any], __: int) -> dict[str, Any]:
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
            losses = paper_losses(aggregate(calls), target, LossWeights(0.5, 0.5)), anchored_losses(calls, target)
            for kind, found in zip(("paper", "anchored"), losses, strict=True):
                self._kept.setdefault(f"{kind} {name}", []).append(np.stack([found.instance, found.semantic]))
        self._capture = None


def record(shapes: Any, case: Case) -> Record:
    """Sample one prompt from all seeds at once."""
    positive, counts = encode_count_prompt(shapes.clip, case.prompt, "")
    negative = shapes.clip.encode_from_tokens_scheduled(shapes.clip.tokenize(""))
    kept: dict[str, list] = {}
    start_run = lambda guider, _, family: _Recording(guider, family, kept)  # noqa: E731
    model, _ = with_runs(shapes.model, "ranking", RunNotes("the benchmark"), start_run)
    latent = comfy.sample.fix_empty_latent_channels(model, torch.zeros(SEEDS, 4, 16, 16))
    noise = torch.cat([comfy.sample.prepare_noise(latent[:1], 100 * case.seed + seed) for seed in range(SEEDS)])
    samples = comfy.sample.sample(
        model, noise, STEPS, CFG, SAMPLER, SCHEDULER, positive, negative, latent, disable_pbar=True, seed=1
    )
    pictures = (shapes.vae.decode(samples).numpy() * 255).round().astype(np.uint8)
    error = np.array([Outcome(case.count(picture), []).error(case) for picture in pictures])
    asked = np.array([item.count for item in counts.objects])
    return {"error": error, "counts": asked, **{name: np.stack(steps) for name, steps in kept.items()}}


def gap(heat: torch.Tensor, grid: Grid, counts: tuple[int, ...]) -> torch.Tensor:
    """How much stronger the last asked place is than the next one."""
    places = relative_strengths(place_strengths(heat, grid, max(counts) + 1), counts)
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


def right_before_wrong(scores: np.ndarray, error: np.ndarray) -> float:
    """P(an exact seed scores better than another one); NaN where all or none are exact."""
    exact, wrong = scores[error == 0][:, None], scores[error > 0]
    return float(((exact < wrong) + 0.5 * (exact == wrong)).mean()) if exact.size and wrong.size else np.nan


def rank_correlation(scores: np.ndarray, error: np.ndarray) -> float:
    """Spearman's; 0 where the score ties all, NaN where the errors do."""
    if np.ptp(error) == 0:
        return np.nan
    return float(np.corrcoef(rankdata(scores), rankdata(error))[0, 1]) if np.ptp(scores) else 0.0


def best_of(scores: np.ndarray, exact: np.ndarray, many: int) -> float:
    """Chance that the best of `many` of the seeds is exact, over all choices of them; ties are drawn by lot."""
    drawn = np.array([exact[scores == score].mean() for score in np.sort(scores)])
    rest = np.arange(len(scores))[::-1]
    ways = np.array([comb(left, many - 1) for left in rest])
    return float((drawn * ways).sum() / ways.sum())


def rank_table(runs: list[Record], rows: list[tuple[str, str]]) -> Iterator[str]:
    """Per score and layers: P(right before wrong) and Spearman's correlation with the count error, by model calls."""
    yield "| score | layers | " + " | ".join(f"after {after}" for after in AFTER) + " |"
    yield "|---|---|" + "---|" * len(AFTER)
    for name, layers in rows:
        cells = []
        for after in AFTER:
            pairs = [(score_at(run, name, layers, after), run["error"]) for run in runs]
            right, correlation = (
                np.nanmean([measure(*pair) for pair in pairs]) for measure in (right_before_wrong, rank_correlation)
            )
            cells.append(f"{right:.2f} / {correlation:+.2f}")
        yield f"| {name} | {layers} | " + " | ".join(cells) + " |"


def best_table(runs: list[Record], rows: list[tuple[str, str]], many: int) -> Iterator[str]:
    """Exact pictures when the best of so many seeds is taken after so many calls, and its 95 % gain over a random one."""
    exact = [run["error"] == 0 for run in runs]
    chance = np.array([each.mean() for each in exact])
    ideal = np.mean([best_of(run["error"], run["error"] == 0, many) for run in runs])
    yield f"Best of {many}: a random seed is exact in {chance.mean():.1%}, the best one in {ideal:.1%}.\n"
    yield "| score | " + " | ".join(f"after {after}" for after in AFTER) + " |"
    yield "|---|" + "---|" * len(AFTER)
    for name, layers in rows:
        cells = []
        for after in AFTER:
            scores = [score_at(run, name, layers, after) for run in runs]
            found = np.array([best_of(*pair, many) for pair in zip(scores, exact, strict=True)])
            low, high = interval(found - chance)
            cells.append(f"{found.mean():.1%} ({low:+.1%} to {high:+.1%})")
        yield f"| {name} | " + " | ".join(cells) + " |"


def chosen_seed(run: Record, seeds: list[int], stages: Sequence[Stage]) -> int:
    """The seed that is left of `seeds` after the stages."""
    for stage in stages:
        scores = torch.from_numpy(score_at(run, "places", "16x16", stage.last))
        seeds = [seeds[index] for index in top_k(scores[seeds], stage.keep)]
    return seeds[0]


def stages_table(runs: list[Record]) -> Iterator[str]:
    """What deciding later, and dropping half on the way, cost and bring.

    The cost is in plain pictures, the picture of the chosen seed included.
    """
    yield "| seeds | decide at | dropped on the way | cost | exact | error |"
    yield "|---|---|---|---|---|---|"
    for many, decide_at, drop in product((4, 8), (0.3, 0.4, 0.5, 0.6, 1.0), (True, False)):
        stages = successive_halving(many, 1, STEPS, decide_at)[0 if drop else -1 :]
        groups = [list(range(first, first + many)) for first in range(0, SEEDS, many)]
        error = np.array([[run["error"][chosen_seed(run, group, stages)] for group in groups] for run in runs])
        half = stages[0].keep if drop else many
        cost = 1 + (many * stages[0].last + half * (stages[-1].last - stages[0].last)) / STEPS
        row = f"{many} | {decide_at:.0%} | {'half' if drop else 'none'} | {cost:.2f}"
        yield f"| {row} | {(error == 0).mean():.1%} | {error.mean():.2f} |"


def load_runs(cases: list[Case], out: Path, report: Callable[[str], None]) -> list[Record]:
    """One record per case; those in the folder `out` are read, the others sampled."""
    shapes, runs = None, []
    weights = hashlib.sha256(WEIGHTS.read_bytes()).hexdigest()
    for number, case in enumerate(cases, 1):
        file = out / (hashlib.sha256(f"{weights} {case.seed} {case.prompt}".encode()).hexdigest()[:16] + ".npz")
        if not file.exists():
            shapes = shapes or load_shapes_model()
            with torch.inference_mode():
                np.savez(file, **record(shapes, case))
            report(f"{number} of {len(cases)} prompts")
        with np.load(file) as stored:
            runs.append(dict(stored))
    return runs


def main() -> None:
    """Run and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--single", type=int, default=120, help="prompts for 2 to 6 of one kind")
    parser.add_argument("--several", type=int, default=107, help="prompts for 2 or 3 kinds")
    parser.add_argument("--seed", type=int, default=21)
    parser.add_argument("--half", choices=("confirm", "choose", "both"), default="confirm")
    parser.add_argument("--out", type=Path, default=Path("output/seed_ranking"))
    arguments = parser.parse_args()
    arguments.out.mkdir(parents=True, exist_ok=True)
    cases = make_cases(arguments.single, arguments.several, arguments.seed)
    if arguments.half != "both":
        wanted = int(arguments.half == "confirm")
        places = (
            *range(arguments.single),
            *range(arguments.several),
        )  # nouns take turns, 8 by 8: each is in both halves
        cases = [case for case, place in zip(cases, places, strict=True) if (place + place // 8) % 2 == wanted]
    runs = load_runs(cases, arguments.out, print)
    rows = [(name, "16x16" if name in ON_HEAT else "all") for name in NAMES]
    for title, several in (("2 to 6 of one kind", False), ("2 to 3 kinds", True)):
        chosen = [run for run in runs if (len(run["counts"]) > 1) == several]
        print(f"\n## {title} ({len(chosen)} prompts): P(right before wrong) / correlation with the count error\n")
        print("\n".join(rank_table(chosen, rows)))
        print(f"\n## {title}: by layers\n")
        print("\n".join(rank_table(chosen, [(name, layers) for name in ("places", "paper") for layers in LAYERS])))
        for many in (4, 8):
            print(f"\n## {title}: exact pictures\n")
            print("\n".join(best_table(chosen, rows, many)))
    print(f"\n## All {len(runs)} prompts: dropping on the way\n")
    print("\n".join(stages_table(runs)))


if __name__ == "__main__":
    main()
