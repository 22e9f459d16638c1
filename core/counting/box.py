"""A box that a detector found, whatever form it came in."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..prompts import singular
from .counted import Point
from .labels import clean_label


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels.

    Attributes:
        x, y: its left upper corner; a box may reach beyond the image.
        width, height: 0 or more.
        label: what the detector calls it, as it was written; empty where it has no name.
        score: how sure the detector is; None where it does not say.
    """

    x: float
    y: float
    width: float
    height: float
    label: str = ""
    score: float | None = None

    @property
    def middle(self) -> Point:
        """(x, y) of its middle."""
        return self.x + self.width / 2, self.y + self.height / 2


@dataclass(frozen=True)
class BoxSettings:
    """Which boxes count. Both settings are about boxes with a score: a box without one always counts.

    Attributes:
        minimum_score: boxes with a lower score are left out; 0 keeps them all.
        merge_overlap: of two boxes of one label that overlap more than this (intersection over union), only the one with the
            higher score counts; 1 keeps both. The default merges what nobody would draw as two: 49 of 50 columns the same is
            0.96, two objects half of one behind the other 0.33.
    """

    minimum_score: float = 0.0
    merge_overlap: float = 0.9


USUAL = BoxSettings()


def overlap(one: Box, other: Box) -> float:
    """Intersection over union of two boxes, 0 to 1; 0 where both are empty."""
    across = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    down = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    shared = across * down if across > 0 and down > 0 else 0.0
    together = one.width * one.height + other.width * other.height - shared
    return shared / together if together > 0 else 0.0


def kept_boxes(boxes: Sequence[Box], settings: BoxSettings) -> tuple[Box, ...]:
    """The boxes of one image that count, in their order."""
    sure = [box for box in boxes if box.score is None or box.score >= settings.minimum_score]
    merged = _weaker_doubles(sure, settings.merge_overlap) if settings.merge_overlap < 1 else set()
    return tuple(box for index, box in enumerate(sure) if index not in merged)


def left_out(boxes: Sequence[Sequence[Box]], settings: BoxSettings) -> str:
    """What `kept_boxes` leaves out of the boxes of several images, in words; empty where it keeps them all."""
    low = sum(box.score is not None and box.score < settings.minimum_score for found in boxes for box in found)
    doubles = sum(len(found) - len(kept_boxes(found, settings)) for found in boxes) - low
    parts = [f"{low} below the minimum score of {settings.minimum_score:g}"] if low else []
    parts += [f"{doubles} over another of the same label (merge overlap {settings.merge_overlap:g})"] if doubles else []
    return f"boxes not counted: {', '.join(parts)}" if parts else ""


def _weaker_doubles(boxes: Sequence[Box], overlap: float) -> set[int]:
    """Indices of the boxes that a stronger one of their label covers; greedily, the strongest box first."""
    scored = [(index, box, box.score) for index, box in enumerate(boxes) if box.score is not None]
    labels = Counter(_kind(box) for _, box, _ in scored)
    doubles: set[int] = set()
    for label in (label for label, number in labels.items() if number > 1):
        same = [(index, box) for index, box, score in scored if _kind(box) == label]
        same.sort(key=lambda one: -(one[1].score or 0.0))
        corners = torch.tensor([[box.x, box.y, box.x + box.width, box.y + box.height] for _, box in same]).double()
        kept: list[int] = []
        for place, (index, _) in enumerate(same):
            if kept and float(_overlaps(corners[place], corners[kept]).amax()) > overlap:
                doubles.add(index)
            else:
                kept.append(place)
    return doubles


def _kind(box: Box) -> str:
    return singular(clean_label(box.label))


def _overlaps(box: Tensor, others: Tensor) -> Tensor:
    """(n,) intersection over union of one box (4) and n others (n, 4), given by their corners; 0 where both are empty."""
    sides = (torch.minimum(box[2:], others[:, 2:]) - torch.maximum(box[:2], others[:, :2])).clamp_min(0)
    shared = sides.prod(1)
    both = (box[2:] - box[:2]).prod() + (others[:, 2:] - others[:, :2]).prod(1) - shared
    return torch.where(both > 0, shared / both.clamp_min(1e-30), torch.zeros_like(shared))
