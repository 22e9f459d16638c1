"""Boxes and densities made from what a counter gives: boxes of points, densities of counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil, floor
from typing import Any

import torch
from torch import Tensor

from ...core.counting import Counted, Point
from ...core.drawing import dot_radius


def point_boxes(nouns: Sequence[str], points: Sequence[Sequence[Point]], similarity: Tensor) -> list[dict[str, Any]]:
    """BOUNDING_BOX around each point of an image, about as large as the dots of the overlay, cut off at the edge.

    Args:
        similarity: (K, H, W), how much each place looks like each noun; the score of a box.
    """
    height, width = similarity.shape[1:]
    boxes = []
    for noun, places, alike in zip(nouns, points, similarity.clamp(0, 1), strict=True):
        reach = dot_radius(height, width, len(places))
        for x, y in places:
            left, top = max(0, floor(x - reach)), max(0, floor(y - reach))
            right, bottom = min(width, ceil(x + reach)), min(height, ceil(y + reach))
            place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
            boxes.append({**place, "label": noun, "score": round(float(alike[int(y), int(x)]), 4)})
    return boxes


def with_boxes(counted: Counted, size: tuple[int, int]) -> Counted:
    """The same with a box around each point, where the counter gives none; without masks their score is 1.

    Args:
        size: (H, W) of the images.
    """
    if counted.boxes is not None:
        return counted
    known = torch.ones(*counted.numbers.shape, *size) if counted.masks is None else counted.masks
    images = zip(counted.points, known, strict=True)
    return replace(counted, boxes=tuple(point_boxes(counted.nouns, points, masks) for points, masks in images))


def spread_counts(counted: Counted, index: int, size: tuple[int, int]) -> Tensor:
    """(K, H, W) density of one image, of a counter that gives none.

    A noun's number is spread over its points; where it has none, over its mask; without a mask, over the whole image.
    """
    density = torch.zeros(len(counted.nouns), *size)
    for k, points in enumerate(counted.points[index]):
        for x, y in points:
            density[k, min(max(int(y), 0), size[0] - 1), min(max(int(x), 0), size[1] - 1)] += 1
        if not points and counted.masks is not None:
            density[k] = counted.masks[index, k]
        if not density[k].any():
            density[k] = 1
    return density * (counted.numbers[index] / density.sum((1, 2)))[:, None, None]
