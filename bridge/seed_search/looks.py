"""Looks at candidates one after the other, and at variations of those that are nearly right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import comfy.model_management
import torch
from torch import Tensor
from torch.nn.functional import normalize

from ...core.counting import Counter
from .counter_scorer import FEWEST_ALIKE, CountedCandidate, alike, counted_candidates, mean_over_frames, wrong_seeds
from .preview_plan import varies
from .previews import Previews
from .runs import Progress

NEARLY_RIGHT = 1
"""Off by more, a candidate has no variations. Chosen on a few looks of the emoji model that were not recorded: no command
repeats it."""
VARIED_FROM = 0.35
"""Share of the steps that a variation leaves out: the other picture gives it a layout, and not yet the number. Chosen on a few
looks of the emoji model that were not recorded: no command repeats it."""
ALIKE_FROM = 0.1
"""The same where seeds are alike: the first steps alone make them so, and one is left out at least. Chosen; for what
it does see *emoji_alike* in docs/measurements.md."""
LEAST_LIKENESS = 0.5
"""Likeness from which seeds make much the same image. Half-way, two seeds of the emoji and of the Shapes model have 0.34 at
most, of *emoji_alike* 0.59 at least (3 seeds of 8 tuning prompts each; no command repeats it)."""


@dataclass(frozen=True)
class Seen:
    """What a look at a candidate showed.

    Attributes:
        image: (H, W, 3), of a video the frame in the middle.
        latent: (1, C, ...) the predicted clean latent.
    """

    candidate: CountedCandidate
    image: Tensor
    latent: Tensor


def likeness(latents: Sequence[Tensor]) -> float:
    """Mean correlation of two of the (1, C, h, w) latents, whatever their channels' means; -1 to 1."""
    rows = torch.cat([latent.flatten(2) for latent in latents]).float()
    rows = normalize((rows - rows.mean(2, keepdim=True)).flatten(1))
    both = rows @ rows.T
    return float((both.sum() - both.trace()) / (len(rows) * (len(rows) - 1)))


def _are_alike(looked: Sequence[Seen]) -> bool:
    """Whether the first seeds are all wrong, in the same way or in much the same image: further ones will be, too."""
    tried = [one.candidate for one in looked]
    if not wrong_seeds(tried):
        return False
    return (
        bool(alike(tried)) or likeness([one.latent for one in looked if one.candidate.varied is None]) >= LEAST_LIKENESS
    )


@dataclass(frozen=True)
class Looks:
    """Looks at the candidates of one search.

    Attributes:
        previews: samples them.
        counter: counts what they are going to show.
        asked: noun in the plural -> number.
    """

    previews: Previews
    counter: Counter
    asked: Mapping[str, int]
    progress: Progress
    _varied: Iterator[int] = field(default_factory=count)

    @property
    def varied_from(self) -> int:
        """The step that a variation of an image that is nearly right begins with."""
        return self._step_at(VARIED_FROM)

    def seen(self) -> Iterator[list[Seen]]:
        """Candidates that were looked at together, until nobody asks for more; variations stand alone."""
        settings = self.previews.search.settings
        first = min(FEWEST_ALIKE, settings.seeds) if settings.vary_alike else settings.seeds
        looked: list[Seen] = []
        for batch in self._seeds(range(first)):
            looked += [one for one in batch if self._can_go_on(one)]
            yield batch
        rest = range(first, settings.seeds)
        is_long = self.previews.plan.steps > 1
        if not is_long or not _are_alike(looked):
            yield from self._seeds(rest)
            return
        base = next(one for one in looked if one.candidate.varied is None)
        for _ in rest:
            yield [self.variation(base, max(1, self._step_at(ALIKE_FROM)))]

    def _seeds(self, indices: Sequence[int]) -> Iterator[list[Seen]]:
        """Seeds that were looked at together, each time with the variations of those that are nearly right."""
        for batch_indices, latents in self.previews.predicted(indices, self.progress.add):
            batch = self._counted(batch_indices, latents)
            near_ones = list(filter(self.can_vary, sorted(batch, key=lambda one: one.candidate.distance)))
            yield batch  # whoever takes it may let go of what is kept of these
            for near in near_ones:
                for _ in range(self.previews.search.settings.variations):
                    yield [self.variation(near)]

    def _step_at(self, share: float) -> int:
        plan = self.previews.plan
        return min(round(share * (len(plan.sigmas) - 1)), plan.steps - 1)

    def seed(self, index: int) -> Seen:
        """One candidate alone."""
        ((indices, latents),) = self.previews.predicted([index], self.progress.add)
        (seen,) = self._counted(indices, latents)
        return seen

    def can_vary(self, seen: Seen) -> bool:
        """Whether it is nearly right, in an image that `variation` can begin in."""
        return 0 < seen.candidate.misses <= NEARLY_RIGHT and self._can_go_on(seen)

    def _can_go_on(self, seen: Seen) -> bool:
        """Whether it is sampled alone, from where a sampler can go on."""
        previews, initial = self.previews, self.previews.initial
        is_alone = initial.wanted == 1 and initial.mask is None and initial.samples.ndim < 5
        return is_alone and previews.keeps(seen.candidate.index) and varies(previews.search.settings)

    def variation(self, base: Seen, first: int | None = None) -> Seen:
        """The next variation; each has noise of its own, of the seeds after those that are tried.

        Args:
            first: the step that it begins with; None for `varied_from`.
        """
        index = self.previews.search.settings.seeds + next(self._varied)
        begin = self.varied_from if first is None else first
        latent = self.previews.varied(index, base.latent, begin, self.progress.add)
        (seen,) = self._counted([index], latent)
        return replace(seen, candidate=replace(seen.candidate, varied=base.candidate.seed))

    def _counted(self, indices: Sequence[int], latents: Tensor) -> list[Seen]:
        shown = self.previews.decode(latents)
        counted = mean_over_frames(self.counter.count(shown.frames, tuple(self.asked)), shown.frames_each)
        comfy.model_management.throw_exception_if_processing_interrupted()
        candidates = counted_candidates(self.previews.initial, indices, counted, self.asked)
        return list(map(Seen, candidates, shown.images, latents.split(1)))
