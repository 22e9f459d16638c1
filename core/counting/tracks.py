"""Objects that a tracker followed through a video, counted frame by frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..errors import CountError
from ..prompts import plural, singular
from .box import BoxSettings
from .boxes import counted_from_boxes
from .counted import Counted

_APART = BoxSettings(merge_overlap=1)
"""A tracker tells its objects apart: one right before another is no double of it."""

MINIMUM_SHARE = 0.1
"""Of the frames, in which an object has to be to count: what flickers is left out. Chosen: no tracker was measured."""

VISIBLE_PIXELS = 2
"""Pixels of a mask, in the tracker's own size, from which an object is in a frame; ComfyUI's track preview numbers it then."""


@dataclass(frozen=True)
class TrackCounts:
    """One noun, counted in every frame of a video.

    Attributes:
        counted: F rows of one noun, with a box around each object and its middle.
        identities: different objects in all; one that left and came back is one, where the tracker knew it again.
        passing: objects that were left out, since they are in too few frames.
    """

    counted: Counted
    identities: int
    passing: int


def count_tracks(
    masks: Sequence[Tensor], scores: Sequence[float], noun: str, size: tuple[int, int], minimum_share: float
) -> TrackCounts:
    """Count what was tracked.

    Args:
        masks: per frame, (O, h, w) bool, the same O objects in each, in any size; O may be 0.
        scores: 0..1, of the objects; what is missing counts as 1.
        noun: what all of them are.
        size: (height, width) of the frames in pixels.
        minimum_share: 0..1 of the frames; an object that is in fewer counts in none.
    """
    visible = torch.stack([one.flatten(1).sum(1) >= VISIBLE_PIXELS for one in masks])
    kept = visible.any(0) & (visible.float().mean(0) >= minimum_share)
    boxes = []
    for frame, seen in zip(masks, visible, strict=True):
        places = (seen & kept).nonzero().flatten().tolist()
        boxes.append([_box(frame[at], size, noun, scores[at] if at < len(scores) else 1.0) for at in places])
    counted = replace(counted_from_boxes(boxes, [plural(noun)], len(boxes), _APART), boxes=tuple(boxes))
    identities = int(kept.sum())
    return TrackCounts(counted, identities, int(visible.any(0).sum()) - identities)


def _box(mask: Tensor, size: tuple[int, int], noun: str, score: float) -> dict[str, Any]:
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    down, across = size[0] / mask.shape[0], size[1] / mask.shape[1]
    place = {"x": float(columns[0]) * across, "y": float(rows[0]) * down}
    width, height = float(columns[-1] - columns[0] + 1) * across, float(rows[-1] - rows[0] + 1) * down
    return {**place, "width": width, "height": height, "label": singular(noun), "score": float(score)}


def side_by_side(first: Counted, second: Counted) -> Counted:
    """The counts of other nouns in the same images, as one; boxes where both have them, masks of neither.

    Raises:
        CountError: they are not of as many images, or share a noun.
    """
    if len(first.numbers) != len(second.numbers):
        raise CountError(
            f"the counts are of {len(first.numbers)} and of {len(second.numbers)} frames. Count every noun in the same video"
        )
    twice = set(first.nouns) & set(second.nouns)
    if twice:
        raise CountError(f"{', '.join(sorted(twice))}: counted twice. Count another noun in each of the two")
    boxes = None
    if first.boxes is not None and second.boxes is not None:
        boxes = tuple([*one, *other] for one, other in zip(first.boxes, second.boxes, strict=True))
    points = tuple((*one, *other) for one, other in zip(first.points, second.points, strict=True))
    return Counted((*first.nouns, *second.nouns), torch.cat([first.numbers, second.numbers], 1), points, boxes)
