"""Boxes of several detectors: which show the same object. Numbers only, no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Detection:
    """A thing that a detector sees: its noun, a score of 0 to 1, and (left, top, right, bottom) in pixels."""

    noun: str
    score: float
    box: Box


def box_area(box: Box) -> float:
    """Square pixels of a box, 0 for one that is turned inside out."""
    left, top, right, bottom = box
    return max(right - left, 0.0) * max(bottom - top, 0.0)


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1; 0 for two empty boxes."""
    shared = box_area(
        (max(one[0], other[0]), max(one[1], other[1]), min(one[2], other[2]), min(one[3], other[3])),
    )
    together = box_area(one) + box_area(other) - shared
    return shared / together if together > 0 else 0.0


def agreed(detectors: Sequence[Sequence[Detection]], least_overlap: float = 0.5) -> list[list[Detection]]:
    """Things that any two detectors see (ISAC paper, section 4: "captured by any two detectors").

    Detections of one noun by different detectors are joined, the pair with the largest overlap first; a thing holds at
    most one detection of each detector.

    Args:
        detectors: what each detector sees, without doubles.
        least_overlap: intersection over union from which two boxes are the same thing; the paper gives none.

    Returns:
        The things, each as its detections of at least two detectors. Of a single detector, everything it sees.
    """
    if len(detectors) == 1:
        return [[item] for item in detectors[0]]
    single = [(index, item) for index, items in enumerate(detectors) for item in items]
    thing = {place: [place] for place in range(len(single))}  # place of a detection -> places of its thing, shared
    for first, second in _pairs(single, least_overlap):
        one, other = thing[first], thing[second]
        sources = [single[place][0] for place in (*one, *other)]
        if one is not other and len(set(sources)) == len(sources):
            one.extend(other)
            thing.update(dict.fromkeys(other, one))
    joined = {id(places): places for places in thing.values() if len(places) > 1}
    return [[single[place][1] for place in places] for places in joined.values()]


def _pairs(single: Sequence[tuple[int, Detection]], least_overlap: float) -> list[tuple[int, int]]:
    """Places of detections of one noun by two detectors that overlap enough, the largest overlap first."""
    found = []
    for second, (source, item) in enumerate(single):
        for first, (other_source, other) in enumerate(single[:second]):
            if source != other_source and item.noun == other.noun:
                found.append((overlap(item.box, other.box), first, second))
    return [(first, second) for shared, first, second in sorted(found, reverse=True) if shared >= least_overlap]
