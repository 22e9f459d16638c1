"""What the node T2ICount Counter gives for a batch of pictures."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, floor
from typing import Any

import comfy.utils
import torch
from torch import Tensor

from ...core.counting import Counted, Point, count_words
from ...core.drawing import count_overlay, dot_radius
from ...core.prompts import Counts
from ..comfyui.node_text import NodeResult
from .loaded import LoadedCounter, counted_of
from .nouns import nouns_to_count
from .pictures import rgb_pictures

Boxes = list[list[dict[str, Any]]]


@dataclass(frozen=True)
class CounterResults:
    """Of N pictures and K nouns; what there is per picture and noun has all nouns of the first picture first.

    Attributes:
        rounded, numbers: N * K counts, whole and exact.
        density: (N * K, H, W) things per pixel.
        overlays: (N * K, H, W, 3).
        similarity: (N * K, H, W) in 0..1.
        boxes: per picture, a small box around each point; its label is the noun, its score the similarity there.
        counted: the same for other nodes.
        table: one line per picture.
        result: what the node says of it.
    """

    rounded: list[int]
    numbers: list[float]
    density: Tensor
    overlays: Tensor
    similarity: Tensor
    boxes: Boxes
    counted: Counted
    table: str
    result: NodeResult


def count_in_pictures(
    counter: LoadedCounter, image: Tensor, text: str, counts: Counts | None, scale: str
) -> CounterResults:
    """Count, with a progress bar.

    Raises:
        CountError: nothing to count, pictures that are none, or words that the model does not know.
    """
    nouns, pictures = nouns_to_count(text, counts), rgb_pictures(image)
    bar = comfy.utils.ProgressBar(1)
    results = list(counter.each_picture(pictures, nouns, bar.update_absolute, scale))
    counted = counted_of(nouns, results)
    overlays = [
        count_overlay(picture.cpu(), result.density[k], result.points[k], float(result.numbers[k]), noun)
        for picture, result in zip(pictures, results, strict=True)
        for k, noun in enumerate(nouns)
    ]
    return CounterResults(
        rounded=counted.rounded.flatten().tolist(),
        numbers=counted.numbers.flatten().tolist(),
        density=torch.cat([result.density for result in results]),
        overlays=torch.stack(overlays),
        similarity=torch.cat([result.similarity for result in results]).clamp_(0, 1),
        boxes=[_boxes_of(nouns, result.points, result.similarity) for result in results],
        counted=counted,
        table=_table(counted),
        result=_result_of(counted),
    )


def _result_of(counted: Counted) -> NodeResult:
    """Of one picture what is in it; of several the sums, and the table."""
    sums = ", ".join(map(count_words, counted.rounded.sum(0).tolist(), counted.nouns))
    pictures = len(counted.numbers)
    return NodeResult(sums if pictures == 1 else f"{sums} in {pictures} pictures", table=_table(counted))


def _table(counted: Counted) -> str:
    return "\n".join(
        f"picture {index + 1}: " + ", ".join(map(count_words, row, counted.nouns))
        for index, row in enumerate(counted.numbers.tolist())
    )


def _boxes_of(nouns: tuple[str, ...], points: Sequence[Sequence[Point]], similarity: Tensor) -> list[dict[str, Any]]:
    """Boxes about as large as the dots of the overlay, cut off at the edge.

    Args:
        similarity: (K, H, W), how much each place looks like each noun.
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
