"""What a detector sees that is asked for one noun at a time, and its counts: duplicates are merged, rivals decided."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor

from ..prompts import singular
from .box import Box, overlap
from .counted import Counted
from .labels import owner_of

NEVER, DENSE, ALWAYS = "never", "where dense", "always"
ANOTHER_KIND = 0.9
"""Overlap from which detections of two kinds are one object: a cat that is taken for a dog too, not a dog before a cat."""


@dataclass(frozen=True)
class DetectionSettings:
    """What of a detector's output counts.

    Attributes:
        threshold: minimum score, 0 to 1.
        merge_overlap: of two detections of one noun that overlap more than this (intersection over union, of their masks where
            there are any), only the one with the higher score counts. 0.5 is the default of OmDet-Turbo's post-processing in
            `transformers` and of the video tracker of ComfyUI's SAM3.
        tiles: NEVER, DENSE or ALWAYS: when parts of an image are looked at one by one.
    """

    threshold: float
    merge_overlap: float = 0.5
    tiles: str = DENSE


@dataclass(frozen=True)
class Detected:
    """One object that a detector sees in an image.

    Attributes:
        box: with a score, inside of the image.
        mask: (h, w) bool, its pixels inside of the box, see `box_pixels`; None where the detector gives none.
    """

    box: Box
    mask: Tensor | None = None


def box_pixels(box: Box) -> tuple[int, int, int, int]:
    """(left, top, right, bottom) of the whole pixels that a box touches."""
    return floor(box.x), floor(box.y), ceil(box.x + box.width), ceil(box.y + box.height)


def box_inside(corners: Sequence[float], size: tuple[int, int], score: float) -> Box | None:
    """A box cut at the edges of an image; None where less than a pixel of it is left.

    Args:
        corners: left, top, right, bottom in pixels.
        size: (height, width) of the image.
    """
    (left, top, right, bottom), (height, width) = corners, size
    left, top, right, bottom = max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))
    if not (right - left >= 1 and bottom - top >= 1):  # NaN is no box
        return None
    return Box(left, top, right - left, bottom - top, score=score)


def distinct(
    found: Sequence[Sequence[Detected]], nouns: Sequence[str], merge_overlap: float
) -> tuple[tuple[Detected, ...], ...]:
    """What is left of the detections of one image when each object counts once.

    Of two detections of one noun that overlap by more than `merge_overlap`, and of those of two nouns that cannot be the same
    object ("red car" and "blue car"; "cat" and "dog" only where they cover each other), the one with the higher score stays. A
    "red car" may well be one of the "cars", and a "woman" one of the "people".

    Args:
        found: the detections of each noun, in any order.
        nouns: their nouns.

    Returns:
        The detections of each noun that stay, the highest score first.
    """
    rows = sorted(
        ((noun, item) for noun, items in enumerate(found) for item in items), key=lambda row: -(row[1].box.score or 0.0)
    )
    limits = [[_limit(one, other, merge_overlap) for other in nouns] for one in nouns]
    kept: list[tuple[int, Detected]] = []
    for noun, item in rows:
        if all(_shared(item, other) <= limits[noun][owner] for owner, other in kept):
            kept.append((noun, item))
    return tuple(tuple(item for owner, item in kept if owner == noun) for noun in range(len(nouns)))


def _limit(one: str, other: str, merge_overlap: float) -> float:
    """How much detections of two nouns may overlap and still be two objects; 1 where they may be the same one."""
    if one == other:
        return merge_overlap
    if owner_of(one, [other]) is not None or owner_of(other, [one]) is not None:
        return 1.0
    is_same_noun = singular(one.split()[-1]) == singular(other.split()[-1])
    return merge_overlap if is_same_noun else max(merge_overlap, ANOTHER_KIND)


def _shared(one: Detected, other: Detected) -> float:
    """Intersection over union of two detections: of their boxes, or of their masks where that is less."""
    boxes = overlap(one.box, other.box)
    if not boxes or one.mask is None or other.mask is None:
        return boxes
    common = _common(one.box, other.box)
    both = int((_window(one.box, one.mask, common) & _window(other.box, other.mask, common)).sum())
    either = int(one.mask.sum()) + int(other.mask.sum()) - both
    return min(boxes, both / either) if either else boxes


def _common(one: Box, other: Box) -> tuple[int, int, int, int]:
    (a, b, c, d), (e, f, g, h) = box_pixels(one), box_pixels(other)
    return max(a, e), max(b, f), min(c, g), min(d, h)


def _window(box: Box, mask: Tensor, window: tuple[int, int, int, int]) -> Tensor:
    """The part of a mask that lies in a window of the image."""
    x, y, _, _ = box_pixels(box)
    left, top, right, bottom = window
    return mask[top - y : bottom - y, left - x : right - x]


def counted_detections(
    nouns: Sequence[str], images: Sequence[Sequence[Sequence[Detected]]], size: tuple[int, int], has_masks: bool
) -> Counted:
    """Counts, points, boxes and masks of detections.

    Args:
        nouns: the K nouns.
        images: for each of the N images and each noun its objects, the highest score first.
        size: (H, W) of the images.
        has_masks: whether the detector gives masks.
    """
    numbers = torch.tensor([[len(items) for items in found] for found in images], dtype=torch.float32)
    return Counted(
        tuple(nouns),
        numbers.reshape(len(images), len(nouns)),
        tuple(tuple(tuple(item.box.middle for item in items) for items in found) for found in images),
        tuple(
            [_labelled(item.box, noun) for noun, items in zip(nouns, found, strict=True) for item in items]
            for found in images
        ),
        torch.stack([_noun_masks(found, size) for found in images]) if has_masks else None,
        tuple(tuple(item.mask for items in found for item in items if item.mask is not None) for found in images)
        if has_masks
        else None,
    )


def _labelled(box: Box, noun: str) -> dict[str, Any]:
    place = {"x": box.x, "y": box.y, "width": box.width, "height": box.height}
    return {**place, "label": noun, "score": box.score}


def _noun_masks(found: Sequence[Sequence[Detected]], size: tuple[int, int]) -> Tensor:
    """(K, H, W) 1 where an object of the noun is."""
    masks = torch.zeros(len(found), *size)
    for mask, items in zip(masks, found, strict=True):
        for item in items:
            if item.mask is not None:
                left, top, right, bottom = box_pixels(item.box)
                mask[top:bottom, left:right] += item.mask
    return masks.clamp_(max=1)


def object_masks(counted: Counted, size: tuple[int, int]) -> Tensor | None:
    """(M, H, W) a mask of each object of all images, in the order of their boxes; None where the counter gives none.

    Args:
        size: (H, W) of the images.
    """
    if counted.object_masks is None or counted.boxes is None:
        return None
    rows = [
        (box, mask)
        for boxes, masks in zip(counted.boxes, counted.object_masks, strict=True)
        for box, mask in zip(boxes, masks, strict=True)
    ]
    full = torch.zeros(len(rows), *size)
    for place, (box, mask) in zip(full, rows, strict=True):
        left, top, right, bottom = box_pixels(Box(box["x"], box["y"], box["width"], box["height"]))
        place[top:bottom, left:right] = mask
    return full
