"""Looks at candidates one after the other, and at variations of those that are nearly right."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count

import comfy.model_management
from torch import Tensor

from ...core.counting import Counter
from .counter_scorer import CountedCandidate, counted_candidates, mean_over_frames
from .preview_plan import varies
from .previews import Previews
from .runs import Progress

NEARLY_RIGHT = 1
"""Off by more, a candidate has no variations. Chosen on a few looks of the emoji model that were not recorded: no command
repeats it."""
VARIED_FROM = 0.35
"""Share of the steps that a variation leaves out: the other picture gives it a layout, and not yet the number. Chosen on a few
looks of the emoji model that were not recorded: no command repeats it."""


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
        """The step that a variation begins with."""
        plan = self.previews.plan
        return min(round(VARIED_FROM * (len(plan.sigmas) - 1)), plan.steps - 1)

    def seen(self) -> Iterator[list[Seen]]:
        """Candidates that were looked at together, until nobody asks for more; variations stand alone."""
        settings = self.previews.search.settings
        for indices, latents in self.previews.predicted(range(settings.seeds), self.progress.add):
            batch = self._counted(indices, latents)
            near_ones = list(filter(self.can_vary, sorted(batch, key=lambda one: one.candidate.distance)))
            yield batch  # whoever takes it may let go of what is kept of these
            for near in near_ones:
                for _ in range(settings.variations):
                    yield [self.variation(near)]

    def seed(self, index: int) -> Seen:
        """One candidate alone."""
        ((indices, latents),) = self.previews.predicted([index], self.progress.add)
        (seen,) = self._counted(indices, latents)
        return seen

    def can_vary(self, seen: Seen) -> bool:
        """Whether it is nearly right, in a picture that is sampled alone and whose start a sampler can go on from."""
        previews, initial = self.previews, self.previews.initial
        is_alone = initial.wanted == 1 and initial.mask is None and initial.samples.ndim < 5
        can_go_on = previews.keeps(seen.candidate.index) and varies(previews.search.settings)
        return is_alone and can_go_on and 0 < seen.candidate.misses <= NEARLY_RIGHT

    def variation(self, near: Seen) -> Seen:
        """The next variation; each has noise of its own, of the seeds after those that are tried."""
        index = self.previews.search.settings.seeds + next(self._varied)
        latent = self.previews.varied(index, near.latent, self.varied_from, self.progress.add)
        (seen,) = self._counted([index], latent)
        return replace(seen, candidate=replace(seen.candidate, varied=near.candidate.seed))

    def _counted(self, indices: Sequence[int], latents: Tensor) -> list[Seen]:
        shown = self.previews.decode(latents)
        counted = mean_over_frames(self.counter.count(shown.frames, tuple(self.asked)), shown.frames_each)
        comfy.model_management.throw_exception_if_processing_interrupted()
        candidates = counted_candidates(self.previews.initial, indices, counted, self.asked)
        return list(map(Seen, candidates, shown.images, latents.split(1)))
