"""Count Repair: changes an image place by place until a counter finds what was asked for, and never for the worse."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import count
from math import inf

import comfy.model_management
from torch import Tensor

from ...core.counting import Counted, Counter, columns_of, count_words, counts_in_words, misses, verdict_words
from ...core.errors import CountError
from ...core.repair import Change, PictureObjects, crop_around, picture_objects, plan_changes
from ..comfyui.progress import SamplingProgress
from ..seed_search.settings import seed_after
from .painter import REMOVAL_SHARE, Brush, Painter


@dataclass(frozen=True)
class Looked:
    """An image and what a counter says of it.

    Attributes:
        image: (H, W, C).
        counted: counts of this one image.
        asked: noun in the plural -> number.
    """

    image: Tensor
    counted: Counted
    asked: Mapping[str, int]

    @cached_property
    def misses(self) -> int:
        """How many objects are too many or too few; 0 is right."""
        return int(misses(self.counted, self.asked)[0])

    @cached_property
    def objects(self) -> PictureObjects:
        """Where everything is.

        Raises:
            CountError: the counter says that something is there and not where.
        """
        return picture_objects(self.counted, self.asked, (self.image.shape[0], self.image.shape[1]))

    @property
    def says_where(self) -> bool:
        """Whether the counter gave the places of what it counted, without which nothing can be mended."""
        try:
            return bool(self.objects.size)
        except CountError:
            return False

    def is_better_than(self, other: Looked) -> bool:
        """Whether it misses fewer objects, and shows no more than `other` that nobody asked for."""
        is_nearer = self.misses < other.misses and self.says_where
        return is_nearer and len(self.objects.others) <= len(other.objects.others)

    @property
    def words(self) -> str:
        """ "4 cats, 1 dog"."""
        numbers = self.counted.numbers[0, columns_of(self.counted, self.asked)].tolist()
        return counts_in_words(numbers, self.asked)

    @property
    def verdict(self) -> str:
        """ "right", or "off by 2"."""
        return verdict_words(self.misses)


def look(counter: Counter, image: Tensor, asked: Mapping[str, int]) -> Looked:
    """Count one image (H, W, C).

    Raises:
        CountError: the counter cannot count it.
    """
    counted = counter.count(image[None, ..., :3], tuple(asked))
    comfy.model_management.throw_exception_if_processing_interrupted()
    return Looked(image, counted, asked)


@dataclass(frozen=True)
class Repaired:
    """What came of one image.

    Attributes:
        before, after: the image; the very same tensor where nothing was changed.
        done: the changes that were kept.
        painted: how many places were painted, those included that did not help.
        cost: of painting them, in images.
    """

    before: Looked
    after: Looked
    done: tuple[Change, ...] = ()
    painted: int = 0
    cost: float = 0.0

    @property
    def words(self) -> str:
        """ "4 cats: off by 1; 1 cat removed: right"."""
        first = f"{self.before.words}: {self.before.verdict}"
        if self.done:
            return f"{first}; {', '.join(change.words for change in self.done)}: {self.after.verdict}"
        return f"{first}; {count_words(self.painted, 'changes')} tried, none helped" if self.painted else first


def unchanged(looked: Looked) -> Repaired:
    """An image that nothing was done to."""
    return Repaired(looked, looked)


@dataclass(frozen=True)
class Repair:
    """Mends images one at a time.

    Attributes:
        painter: paints a place.
        counter: counts after each change.
        asked: noun in the plural -> number.
        progress: told of every step; None where nobody listens.
    """

    painter: Painter
    counter: Counter
    asked: Mapping[str, int]
    progress: SamplingProgress | None = None

    def run(self, first: Looked, index: int = 0, pictures: int = 1, budget: float = inf) -> Repaired:
        """Change an image until it is right, or its rounds or budget are spent.

        Args:
            first: the image.
            index, pictures: its place among those that are mended, for progress.
            budget: what painting may cost, in images.
        """
        best, done, painted, cost = first, list[Change](), 0, 0.0
        tries = self._tries(first)
        while best.misses and painted < self.painter.settings.rounds:
            change, brush = next(tries, (None, None))
            if change is None or brush is None:  # the counter says how many, and not where
                break
            price = self.painter.settings.denoise * brush.strength
            if cost + price > budget:
                break
            tried = look(self.counter, self._painted(best, change, brush, painted, (index, pictures)), self.asked)
            painted, cost = painted + 1, cost + price
            if tried.is_better_than(best):
                best, tries = tried, self._tries(tried)
                done.append(change)
        return Repaired(first, best, tuple(done), painted, cost)

    def _tries(self, looked: Looked) -> Iterator[tuple[Change, Brush]]:
        """Changes that would help, the best first, and how each is painted.

        An object is painted close by and alone first. Where that fails it is left to the model, which fills the place as its
        own image of the whole prompt would have it.
        """
        settings, size = self.painter.settings, looked.objects.size
        for attempt in count():
            changes = plan_changes(looked.objects, self.asked, attempt)
            if not changes:
                return
            for change in changes:
                text, whole = self.painter.text_of(change), crop_around(change.box, size, inf)
                if change.added is None:
                    yield change, Brush(text, whole, REMOVAL_SHARE)
                else:
                    margin = settings.growth * max(change.box.width, change.box.height) + settings.feather + 1
                    yield change, Brush(text, crop_around(change.box, size, settings.context, margin))
                    yield change, Brush(None, whole)

    def _painted(self, looked: Looked, change: Change, brush: Brush, painted: int, place: tuple[int, int]) -> Tensor:
        """The image with one change."""
        settings, (index, pictures) = self.painter.settings, place
        others = [box for box in looked.objects.all_boxes if box is not change.box]
        region = self.painter.region_of(change, looked.objects.size, others)
        before = index * settings.rounds + painted

        def step_done(done: float, denoised: Tensor) -> None:
            if self.progress is not None:
                total = pictures * settings.rounds * settings.steps
                self.progress(round((before + done) * settings.steps), total, denoised)
            comfy.model_management.throw_exception_if_processing_interrupted()

        return self.painter.paint(looked.image, region, brush, seed_after(settings.seed, before), step_done)
