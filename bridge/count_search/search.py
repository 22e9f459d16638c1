"""The search: look at a few seeds, count what they will show, and go on until enough are right.

Reference: none; this pack's own method. It needs neither gradient nor attention, so it works with any model, sampler and
counter. The sum of the looks is its cost; the picture itself is an ordinary run of the user's own sampler.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ...core.counting import asked_numbers
from ...core.errors import CountError
from ...core.prompts import CONDITIONING_KEY, Counts, plural
from ..comfyui.progress import SamplingProgress
from ..prompts.conditionings import carried_counts
from .looks import Looks, looks_of
from .pictures import Counter, Shown, mean_over_frames, shown_by
from .settings import NODE, SearchSettings
from .standings import Candidate, best_first, judged
from .start import Start, start_of


@dataclass(frozen=True)
class Search:
    """What is searched, and where.

    Attributes:
        model: ComfyUI's MODEL with whatever patches; it is not changed.
        positive, negative: CONDITIONING.
        latent: LATENT; as many candidates as it has pictures are wanted.
        vae: decodes what is predicted.
        counts: used where the positive conditioning carries none.
        progress: told of every step.
    """

    model: Any
    positive: Any
    negative: Any
    latent: dict[str, Any]
    vae: Any
    settings: SearchSettings
    counts: Counts | None = None
    progress: SamplingProgress | None = None

    def asked(self) -> dict[str, int]:
        """Noun in the plural -> number; several positive conditionings ask for their things together.

        Raises:
            CountError: nothing is asked for.
        """
        carried = self._carried()
        if not carried:
            raise CountError(
                f"{NODE} does not know what is asked for. Encode the positive prompt with Count Prompt and connect that "
                f"node's CONDITIONING to positive, or its COUNTS to {NODE}"
            )
        objects = [item for counts in carried for item in counts.objects]
        asked = {plural(noun): number for noun, number in asked_numbers(objects).items()}
        if not asked:
            raise CountError(f"{NODE} has nothing to choose by: the positive prompt counts nothing")
        return asked

    def is_asked(self) -> bool:
        """Whether the conditioning or COUNTS says what is asked for."""
        return any(counts.objects for counts in self._carried())

    def _carried(self) -> list[Counts]:
        """What each Count Prompt behind the conditioning reads, once however many parts its conditioning has."""
        found = {id(options.get(CONDITIONING_KEY)): carried_counts(options) for _, options in self.positive}
        return [counts for counts in found.values() if counts is not None] or (
            [] if self.counts is None else [self.counts]
        )

    def begin(self) -> tuple[Start, Looks]:
        """Where candidates start, and what looks at them.

        Raises:
            CountError: the inputs cannot be searched; the message says which.
        """
        if self.model is None:
            raise CountError(f"{NODE} got no model; connect a loader's MODEL output")
        start = start_of(self.model, self.latent, self.settings.seed, self.settings.seeds)
        return start, looks_of(self.model, self.positive, self.negative, start, self.settings)


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        candidates: the tried ones, best first.
        pictures: (n, H, W, 3) what they are predicted to show, in that order.
        latent, seed: what a sampler needs to make the best.
    """

    candidates: list[Candidate]
    pictures: Tensor
    latent: dict[str, Any]
    seed: int


def look_at_all(search: Search) -> tuple[Start, Shown]:
    """Look at every candidate, for a counter that is asked later.

    Raises:
        CountError: see `Search.begin`.
    """
    start, looks = search.begin()
    bar = _Bar(search, looks)
    shown = [_shown(search, looks, bar, part) for part in _parts(search.settings.seeds, looks)]
    return start, Shown(torch.cat([one.frames for one in shown]), shown[0].each)


def find_seeds(search: Search, counter: Counter) -> Found:
    """Look at candidates until enough of them are right, or all were tried.

    Raises:
        CountError: nothing is asked for, or see `Search.begin`.
    """
    asked = search.asked()
    start, looks = search.begin()
    bar, tried, pictures = _Bar(search, looks), [], []
    for part in _parts(search.settings.seeds, looks):
        shown = _shown(search, looks, bar, part)
        counted = mean_over_frames(counter.count(shown.frames, tuple(asked)), shown.each)
        comfy.model_management.throw_exception_if_processing_interrupted()
        tried += judged(part, [start.seed_of(index) for index in part], counted, asked)
        pictures.append(shown.pictures)
        is_enough = sum(one.misses == 0 for one in tried) >= start.wanted
        if is_enough and search.settings.stop_when_found:
            break
    bar.end()
    return found_among(tried, torch.cat(pictures), start)


def found_among(tried: list[Candidate], pictures: Tensor, start: Start) -> Found:
    """The result when `tried` are all the candidates there are, `pictures` theirs in the order of their indices."""
    ordered = best_first(tried)
    indices = [one.index for one in ordered]
    return Found(ordered, pictures[indices], *start.chosen(indices[: start.wanted]))


def _parts(seeds: int, looks: Looks) -> list[list[int]]:
    many = looks.how_many()
    return [list(range(first, min(first + many, seeds))) for first in range(0, seeds, many)]


def _shown(search: Search, looks: Looks, bar: _Bar, part: list[int]) -> Shown:
    shown = shown_by(search.vae, looks.predicted(part, bar.step_done), search.settings.frames)
    comfy.model_management.throw_exception_if_processing_interrupted()
    return shown


class _Bar:
    """Counts the steps of all candidates."""

    def __init__(self, search: Search, looks: Looks) -> None:
        self._progress = search.progress
        self._done, self._total = 0, search.settings.seeds * looks.plan.steps
        self._last: Tensor | None = None

    def step_done(self, many: int, denoised: Tensor) -> None:
        self._done, self._last = min(self._done + many, self._total), denoised
        self._tell()

    def end(self) -> None:
        """No more are needed."""
        self._done = self._total
        self._tell()

    def _tell(self) -> None:
        if self._progress is not None and self._last is not None:
            self._progress(self._done, self._total, self._last)
