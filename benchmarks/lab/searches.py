"""What is sampled for `benchmarks.count_search`: looks at seeds and finished pictures, prompt by prompt.

Everything is kept in a file, so that a stopped run goes on and the table is printed without sampling again.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import torch

from demo.comfy_host import import_comfyui

import_comfyui("--cpu")
import comfy.sample  # noqa: E402
from comfy.patcher_extension import WrappersMP  # noqa: E402
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model  # noqa: E402
from headcount.bridge.isac.control import IsacSettings, with_isac  # noqa: E402
from headcount.bridge.seed_search.count_search import asked_of  # noqa: E402
from headcount.bridge.seed_search.counter_scorer import CountedCandidate, best_first, counted_candidates  # noqa: E402
from headcount.bridge.seed_search.previews import Previews, decode, previews_of  # noqa: E402
from headcount.bridge.seed_search.search import Search  # noqa: E402
from headcount.bridge.seed_search.settings import SearchSettings  # noqa: E402
from headcount.core.counting import Counter  # noqa: E402

from .counters import search_counter  # noqa: E402
from .prompts import Case  # noqa: E402
from .sampling import SHAPES_SAMPLING, Generator, SamplerSettings, Sampling  # noqa: E402
from .store import KeptRows, file_digest  # noqa: E402

_SEEDS_APART = 64
_TOGETHER = 4  # looks in one batch; a search that stops in between would have made the first of them only


@dataclass(frozen=True)
class Plan:
    """What is sampled of each prompt.

    Attributes:
        decide_at: see `SearchSettings`.
        finished: plain pictures that are finished whatever was found.
        seeds: model, plain or with ISAC's fast mode -> how many seeds the searches look at at most.
        sampling: of the pictures.
    """

    decide_at: float
    finished: int = 2
    seeds: Mapping[str, tuple[int, ...]] = field(
        default_factory=lambda: {"plain": (2, 4, 8, 12), "fast": (2, 4, 8, 12)}
    )
    sampling: SamplerSettings = SHAPES_SAMPLING

    def search(self, case: Case, kind: str) -> SearchSettings:
        """Of the longest search with that model."""
        own = self.sampling
        return SearchSettings(
            seed=_SEEDS_APART * case.seed,
            steps=own.steps,
            cfg=own.cfg,
            sampler=own.sampler,
            scheduler=own.scheduler,
            seeds=max(self.seeds[kind]),
            decide_at=self.decide_at,
            at_once=_TOGETHER,
        )


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
        shapes: the Shapes model.
        counter: of the looks; finished pictures are counted exactly.
    """

    def __init__(self, shapes: Any, counter: Counter, plan: Plan) -> None:
        self._counter, self._plan = counter, plan
        self._generator = Generator(shapes, plan.sampling)
        self._rows = 0
        counting = shapes.model.clone()
        counting.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "benchmark", self._count_rows)
        self.models = {"plain": counting, "fast": with_isac(counting, IsacSettings(mode="fast"))[0]}

    def _count_rows(self, executor: Any, x: torch.Tensor, *args: Any, **kwargs: Any) -> torch.Tensor:
        self._rows += len(x)
        return executor(x, *args, **kwargs)

    @torch.inference_mode()
    def run(self, case: Case, kind: str) -> Run:
        """The looks of the longest search, and every picture that a method ends with."""
        generator, settings = self._generator, self._plan.search(case, kind)
        side = self._plan.sampling.size // generator.loaded.vae.spacial_compression_encode()
        latent = {"samples": torch.zeros(1, 4, side, side)}
        conditionings = generator.positive(case.prompt), generator.negative
        search = Search(self.models[kind], *conditionings, latent, settings, vae=generator.loaded.vae)
        previews = previews_of(search)
        tried, looks = self._looks(search, previews)
        places = {0, *(best_first(tried[:many])[0].index for many in self._plan.seeds[kind])}
        places |= set(range(self._plan.finished)) if kind == "plain" else set()
        pictures = {
            str(place): self._picture(search, previews.initial.seed_of(place), case) for place in sorted(places)
        }
        return Run(looks, pictures)

    def _looks(self, search: Search, previews: Previews) -> tuple[list[CountedCandidate], list[Look]]:
        """The seeds up to the first that is right, as the search judges them, and what it saw."""
        asked, most = asked_of(search), search.settings.seeds
        tried: list[CountedCandidate] = []
        found: list[Look] = []
        for first in range(0, most, _TOGETHER):
            some = list(range(first, min(first + _TOGETHER, most)))
            rows, begun = self._rows, time.perf_counter()
            latents = torch.cat([latents for _, latents in previews.predicted(some, lambda *_: None)])
            counted = self._counter.count(decode(search.vae, latents, 1).frames, tuple(asked))
            cost = (self._rows - rows) // len(some), (time.perf_counter() - begun) / len(some)
            of_these = counted_candidates(previews.initial, some, counted, asked)
            right = next((place for place, one in enumerate(of_these) if one.misses == 0), len(some) - 1)
            tried += of_these[: right + 1]
            found += [Look(list(one.numbers), *cost) for one in of_these[: right + 1]]
            if tried[-1].misses == 0:
                break
        return tried, found

    def _picture(self, search: Search, seed: int, case: Case) -> Picture:
        rows, begun = self._rows, time.perf_counter()
        empty = comfy.sample.fix_empty_latent_channels(search.model, search.latent["samples"])
        sampling = Sampling(search.model, search.positive, search.negative, empty, seed, self._plan.sampling)
        (pixels,) = self._generator.pixels(sampling.run())
        return Picture(case.count(pixels), self._rows - rows, time.perf_counter() - begun)


def load_runs(
    cases: list[Case], out: Path, counter: Path | None, plan: Plan, report: Callable[[str], None]
) -> list[dict[str, Run]]:
    """Runs of all cases; those in the file `out` are read, the others sampled and added, case by case."""
    kept, begun, runs = KeptRows(out, "runs"), time.monotonic(), []
    files = [file_digest(file) for file in (WEIGHTS, counter) if file is not None]
    sampler = cache(lambda: Sampler(load_shapes_model(), search_counter(counter), plan))
    for number, case in enumerate(cases, 1):
        key = f"{case.seed} {case.prompt} {plan.decide_at} {files} {json.dumps(plan.seeds)} {plan.finished}"
        done = kept.get(key, lambda c=case: {kind: asdict(sampler().run(c, kind)) for kind in plan.seeds})
        runs.append({kind: _read(run) for kind, run in done.items()})
        if number % 10 == 0:
            report(f"{number} of {len(cases)} prompts, {time.monotonic() - begun:.0f} s")
    return runs


def _read(run: dict[str, Any]) -> Run:
    pictures = {place: Picture(**picture) for place, picture in run["pictures"].items()}
    return Run([Look(**look) for look in run["looks"]], pictures)
