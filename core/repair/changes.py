"""What has to change in an image so that it shows what was asked: a surplus object goes, a missing one comes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from statistics import median

from ..counting import Box, Counted, boxes_by_noun, columns_of, read_boxes
from ..errors import CountError
from ..prompts import plural, singular
from .places import free_places

_AROUND_POINT = 0.25  # side of the box around a lone point, as a share of the image's shorter side


@dataclass(frozen=True)
class PictureObjects:
    """What an image shows.

    Attributes:
        boxes: asked noun -> where its objects are.
        numbers: asked noun -> how many the counter says there are; of a counting network this may differ from the boxes.
        others: objects that nobody asked for.
        size: (H, W) of the image.
    """

    boxes: Mapping[str, tuple[Box, ...]]
    numbers: Mapping[str, int]
    others: tuple[Box, ...]
    size: tuple[int, int]

    @property
    def all_boxes(self) -> tuple[Box, ...]:
        """Every object, whatever it is."""
        return (*(box for found in self.boxes.values() for box in found), *self.others)


@dataclass(frozen=True)
class Change:
    """One place that is painted.

    Attributes:
        box: the object that goes, or the place for the one that comes.
        removed: noun of the object that stands there and goes; None where the place is free.
        added: noun of the object that is painted there; None where only background comes.
    """

    box: Box
    removed: str | None
    added: str | None

    @property
    def words(self) -> str:
        """ "1 cat removed", "1 cat added" or "1 cat changed into 1 dog"."""
        if self.removed is None:
            return f"1 {singular(self.added or '')} added"
        return f"1 {singular(self.removed)} " + (
            f"changed into 1 {singular(self.added)}" if self.added is not None else "removed"
        )


def picture_objects(
    counted: Counted, asked: Mapping[str, int], size: tuple[int, int], index: int = 0
) -> PictureObjects:
    """What a counter found in image `index`, of size (H, W).

    Where the counter gives points and no boxes, a box is put around each point.

    Raises:
        CountError: an asked noun was not counted, or is there and the counter does not say where.
    """
    nouns = list(asked)
    numbers = counted.rounded[index, columns_of(counted, nouns)].tolist()
    own: list[tuple[Box, ...]] = [()] * (len(nouns) + 1)
    if counted.boxes is not None:
        own = boxes_by_noun(read_boxes(counted.boxes[index], 1)[0], nouns)
    for place, column in enumerate(columns_of(counted, nouns)):
        own[place] = own[place] or _around_points(counted.points[index][column], nouns[place], size)
        if numbers[place] and not own[place]:
            raise CountError(
                f"the counter says that there are {numbers[place]} {plural(nouns[place])}, and not where: it gives neither "
                "boxes nor points. Connect a counter that does, such as COUNTER of Load Demo Model or T2ICOUNT"
            )
    return PictureObjects(dict(zip(nouns, own, strict=False)), dict(zip(nouns, numbers, strict=True)), own[-1], size)


def plan_changes(objects: PictureObjects, asked: Mapping[str, int], attempt: int = 0) -> tuple[Change, ...]:
    """Everything that has to change, in the order in which it is best done: exchanges, removals, additions.

    A surplus object becomes a missing one where there are both, since that mends two mistakes at once. Which objects go: those
    that the counter is least sure of and that others cover least. Where objects come: see `free_places`.

    Args:
        asked: noun -> number.
        attempt: how often this was tried in vain; every time the next best objects and places are taken.
    """
    surplus = [(box, noun) for noun in asked for box in _surplus(objects, noun, asked[noun], attempt)]
    missing = [noun for noun in asked for _ in range(asked[noun] - objects.numbers[noun])]
    changes = [Change(box, noun, added) for (box, noun), added in zip_longest(surplus, missing[: len(surplus)])]
    changes.sort(key=lambda change: change.added is None)
    taken = list(objects.all_boxes)
    total = max(1, sum(asked.values()))
    for noun in missing[len(surplus) :]:
        places = free_places(taken, _usual_sides(objects, noun, total), objects.size)
        box = places[attempt % len(places)]
        taken.append(box)
        changes.append(Change(box, None, noun))
    return tuple(changes)


def _surplus(objects: PictureObjects, noun: str, asked: int, attempt: int) -> list[Box]:
    """The objects of a noun that go, easiest first."""
    boxes = sorted(objects.boxes[noun], key=lambda box: _value(box, objects.all_boxes))
    number = min(max(0, objects.numbers[noun] - asked), len(boxes))
    first = attempt % len(boxes) if boxes else 0
    return [*boxes[first:], *boxes[:first]][:number]


def _value(box: Box, boxes: Sequence[Box]) -> float:
    """What removing an object costs: how sure it is, and the share of it that others overlap, whose paint goes with it."""
    covered = sum(_shared(box, other) for other in boxes if other is not box)
    return (1.0 if box.score is None else box.score) + covered / max(box.width * box.height, 1e-9)


def _shared(box: Box, other: Box) -> float:
    """The area of the overlap of two boxes."""
    width = min(box.x + box.width, other.x + other.width) - max(box.x, other.x)
    height = min(box.y + box.height, other.y + other.height) - max(box.y, other.y)
    return max(0.0, width) * max(0.0, height)


def _usual_sides(objects: PictureObjects, noun: str, total: int) -> tuple[float, float]:
    """Width and height of a new object: the median of its own kind, of all objects, or what `total` objects leave room for."""
    alike = objects.boxes[noun] or objects.all_boxes
    if alike:
        return median(box.width for box in alike), median(box.height for box in alike)
    side = min(objects.size) / (2 * total**0.5)
    return side, side


def _around_points(points: Sequence[tuple[float, float]], noun: str, size: tuple[int, int]) -> tuple[Box, ...]:
    """Boxes around points, as large as the distance to the nearest other point allows."""
    boxes = []
    for place, (x, y) in enumerate(points):
        gaps = [max(abs(x - a), abs(y - b)) for other, (a, b) in enumerate(points) if other != place]
        side = max(1.0, min([_AROUND_POINT * min(size), *gaps]))
        boxes.append(Box(x - side / 2, y - side / 2, side, side, noun))
    return tuple(boxes)
