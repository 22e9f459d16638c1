"""What is sampled for `benchmarks.count_search`: looks at seeds and finished pictures, prompt by prompt.

Everything is kept in a file, so that a stopped run goes on and the table is printed without sampling again.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from comfy.patcher_extension import WrappersMP  # noqa: E402
from headcount.bridge.count_search.looks import looks_of  # noqa: E402
from headcount.bridge.count_search.pictures import shown_by  # noqa: E402
from headcount.bridge.count_search.search import Search  # noqa: E402
from headcount.bridge.count_search.settings import SearchSettings  # noqa: E402
from headcount.bridge.count_search.standings import Candidate, best_first, judged  # noqa: E402
from headcount.bridge.count_search.start import start_of  # noqa: E402
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.isac.control import IsacSettings, with_isac  # noqa: E402
from headcount.bridge.prompts.token_positions import encode_count_prompt  # noqa: E402

from demo.exact_counter import ExactCounter  # noqa: E402

from .effect_cases import Case  # noqa: E402

STEPS, CFG, SAMPLER, SCHEDULER = 20, 3.0, "euler", "simple"
FINISHED = 2
SEEDS = {"plain": (2, 4, 8, 12), "fast": (2, 4, 8, 12)}
_SEEDS_APART = 64
_TOGETHER = 4  # looks in one batch; a search that stops in between would have made the first of them only


@dataclass(frozen=True)
class Look:
    """One seed as Count Search saw it: counts of the asked nouns, and what the look cost."""

    numbers: list[float]
    rows: int
    seconds: float


@dataclass(frozen=True)
class Picture:
    """One finished picture: everything it shows, and what it cost."""

    counted: dict[str, int]
    rows: int
    seconds: float


@dataclass(frozen=True)
class Run:
    """All that was sampled for a prompt with one model: looks in the order of the seeds, and pictures by their place."""

    looks: list[Look]
    pictures: dict[str, Picture]


class Sampler:
    """Samples a prompt as Count Search and KSampler do, and counts what the model is asked.

    Args:
        counter: of the looks; finished pictures are counted exactly.
        decide_at: see `SearchSettings`.
    """

    def __init__(self, counter: Any, decide_at: float) -> None:
        self._counter, self._decide_at = counter, decide_at
        self._shapes = load_shapes_model()
        self._negative = self._shapes.clip.encode_from_tokens_scheduled(self._shapes.clip.tokenize(""))
        self._rows = 0
        counting = self._shapes.model.clone()
        counting.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "benchmark", self._count_rows)
        self.models = {"plain": counting, "fast": with_isac(counting, IsacSettings(mode="fast"))[0]}

    def _count_rows(self, executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        self._rows += len(x)
        return executor(x, *args, **kwargs)

    @torch.inference_mode()
    def run(self, case: Case, kind: str) -> Run:
        """The looks of the longest search, and every picture that a method ends with."""
        most = max(SEEDS[kind])
        settings = SearchSettings(
            _SEEDS_APART * case.seed, STEPS, CFG, SAMPLER, SCHEDULER, seeds=most, decide_at=self._decide_at
        )
        positive, _ = encode_count_prompt(self._shapes.clip, case.prompt, "")
        latent = {"samples": torch.zeros(1, 4, 16, 16)}
        search = Search(self.models[kind], positive, self._negative, latent, self._shapes.vae, settings)
        asked = search.asked()
        start = start_of(search.model, latent, settings.seed, most)
        looks = looks_of(search.model, positive, self._negative, start, settings)
        tried: list[Candidate] = []
        found: list[Look] = []
        for first in range(0, most, _TOGETHER):
            some = list(range(first, min(first + _TOGETHER, most)))
            rows, begun = self._rows, time.perf_counter()
            shown = shown_by(self._shapes.vae, looks.predicted(some, lambda *_: None), 1)
            counted = self._counter.count(shown.frames, tuple(asked))
            cost = (self._rows - rows) // len(some), (time.perf_counter() - begun) / len(some)
            of_these = judged(some, [start.seed_of(index) for index in some], counted, asked)
            right = next((place for place, one in enumerate(of_these) if one.misses == 0), len(some) - 1)
            tried += of_these[: right + 1]
            found += [Look(list(one.numbers), *cost) for one in of_these[: right + 1]]
            if tried[-1].misses == 0:
                break
        places = {0, *(best_first(tried[:many])[0].index for many in SEEDS[kind])}
        places |= set(range(FINISHED)) if kind == "plain" else set()
        return Run(found, {str(place): self._picture(search, start.seed_of(place), case) for place in sorted(places)})

    def _picture(self, search: Search, seed: int, case: Case) -> Picture:
        rows, begun = self._rows, time.perf_counter()
        empty = comfy.sample.fix_empty_latent_channels(search.model, search.latent["samples"])
        samples = comfy.sample.sample(
            search.model, comfy.sample.prepare_noise(empty, seed), STEPS, CFG, SAMPLER, SCHEDULER, search.positive,
            search.negative, empty, disable_pbar=True, seed=seed,
        )  # fmt: skip
        pixels = (self._shapes.vae.decode(samples)[0].numpy() * 255).round().astype(np.uint8)
        return Picture(case.count(pixels), self._rows - rows, time.perf_counter() - begun)


def load_counter(path: Path | None) -> Any:
    """The exact counter, or a network of a T2ICount file."""
    if path is None:
        return ExactCounter()
    from headcount.bridge.t2icount.backbone import count_network
    from headcount.bridge.t2icount.loaded import LoadedCounter
    from headcount.core.t2icount.checkpoint import CONFIG_ENTRY, config_named, load_network
    from safetensors import safe_open
    from safetensors.torch import load_file

    with safe_open(path, "pt") as file:
        metadata = file.metadata() or {}
    config = config_named(metadata[CONFIG_ENTRY]) if CONFIG_ENTRY in metadata else None
    return LoadedCounter(load_network(load_file(path), count_network, config).float().eval())


def load_runs(
    cases: list[Case], out: Path, counter: Path | None, decide_at: float, report: Callable[[str], None]
) -> list[dict[str, Run]]:
    """Runs of all cases; those in the file `out` are read, the others sampled and added, case by case."""
    done: dict[str, Any] = {}
    if out.exists():
        done = {row["key"]: row["runs"] for row in map(json.loads, out.read_text().splitlines())}
    files = [hashlib.sha256(file.read_bytes()).hexdigest()[:12] for file in (WEIGHTS, counter) if file is not None]
    sampler, begun, runs = None, time.monotonic(), []
    for number, case in enumerate(cases, 1):
        key = f"{case.seed} {case.prompt} {decide_at} {files} {json.dumps(SEEDS)} {FINISHED}"
        if key not in done:
            sampler = sampler or Sampler(load_counter(counter), decide_at)
            done[key] = {kind: asdict(sampler.run(case, kind)) for kind in SEEDS}
            with out.open("a") as file:
                file.write(json.dumps({"key": key, "runs": done[key]}) + "\n")
        runs.append({kind: _read(own) for kind, own in done[key].items()})
        if number % 10 == 0:
            report(f"{number} of {len(cases)} prompts, {time.monotonic() - begun:.0f} s")
    return runs


def _read(run: dict[str, Any]) -> Run:
    pictures = {place: Picture(**picture) for place, picture in run["pictures"].items()}
    return Run([Look(**look) for look in run["looks"]], pictures)
