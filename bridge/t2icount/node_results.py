"""What the node T2ICount Counter gives for a batch of images."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.utils
import torch
from torch import Tensor

from ...core.counting import Counted, Counter, counts_in_words, object_masks, reads_attributes
from ...core.drawing import count_overlay
from ...core.prompts import Counts
from ...core.t2icount.counting import CountSettings
from ..comfyui.node_names import OBJECT_COUNTER
from ..comfyui.node_text import NodeResult
from ..counters.inputs import checked_counter, count_with_progress
from ..counters.maps import spread_counts, with_boxes
from ..counters.pictures import rgb_pictures
from .loaded import LoadedCounter, counted_of
from .nouns import nouns_to_count

NODE = OBJECT_COUNTER
Boxes = list[list[dict[str, Any]]]


@dataclass(frozen=True)
class CounterResults:
    """Of N images and K nouns; what there is per image and noun has all nouns of the first image first.

    Attributes:
        rounded, numbers: N * K counts, whole and exact.
        density: (N * K, H, W) things per pixel.
        overlays: (N * K, H, W, 3).
        similarity: (N * K, H, W) in 0..1, or the attention in its place.
        boxes: per image, a small box around each point; its label is the noun, its score the similarity there.
        counted: the same for other nodes.
        masks: (M, H, W) a mask of each of the M boxes, in their order; (1, H, W) zeros where there are none.
        table: one line per image.
        result: what the node says of it.
    """

    rounded: list[int]
    numbers: list[float]
    density: Tensor
    overlays: Tensor
    similarity: Tensor
    boxes: Boxes
    counted: Counted
    masks: Tensor
    table: str
    result: NodeResult


def count_in_pictures(
    counter: Counter, image: Tensor, text: str, counts: Counts | None, settings: CountSettings
) -> CounterResults:
    """Count, with a progress bar.

    Args:
        settings: of T2ICount; other counters have their own way. With `attention` that is what `similarity` holds.

    Raises:
        CountError: nothing to count, images that are none, a counter that is none, or words that it does not know.
    """
    counter, bar = checked_counter(counter, NODE), comfy.utils.ProgressBar(1)
    nouns, pictures = nouns_to_count(text, counts, reads_attributes(counter)), rgb_pictures(image)
    if isinstance(counter, LoadedCounter):
        results = list(counter.each_picture(pictures, nouns, settings, bar.update_absolute))
        counted = counted_of(nouns, results)
        density = heat = torch.cat([result.density for result in results])
        seen = [result.similarity if result.attention is None else result.attention for result in results]
        similarity = torch.cat(seen).clamp_(0, 1)
    else:
        size = pictures.shape[1], pictures.shape[2]
        counted = with_boxes(count_with_progress(counter, pictures, nouns, bar.update_absolute), size)
        density = torch.cat([spread_counts(counted, index, size) for index in range(len(pictures))])
        heat = density - density.amin((1, 2), keepdim=True)  # what is everywhere alike shows nothing
        similarity = torch.zeros_like(density) if counted.masks is None else counted.masks.flatten(0, 1)
    overlays = [
        count_overlay(picture.cpu(), heat[index * len(nouns) + k], counted.points[index][k], float(number), noun)
        for index, picture in enumerate(pictures)
        for k, (noun, number) in enumerate(zip(nouns, counted.numbers[index], strict=True))
    ]
    return CounterResults(
        rounded=counted.rounded.flatten().tolist(),
        numbers=counted.numbers.flatten().tolist(),
        density=density,
        overlays=torch.stack(overlays),
        similarity=similarity,
        boxes=list(counted.boxes or ()),
        counted=counted,
        masks=_masks_of_objects(counted, (pictures.shape[1], pictures.shape[2])),
        table=_table(counted),
        result=_result_of(counted),
    )


def _masks_of_objects(counted: Counted, size: tuple[int, int]) -> Tensor:
    masks = object_masks(counted, size)
    return torch.zeros(1, *size) if masks is None or not len(masks) else masks


def _result_of(counted: Counted) -> NodeResult:
    """Of one image what is in it; of several the sums, and the table."""
    sums = counts_in_words(counted.rounded.sum(0).tolist(), counted.nouns)
    pictures = len(counted.numbers)
    return NodeResult(sums if pictures == 1 else f"{sums} in {pictures} images", table=_table(counted))


def _table(counted: Counted) -> str:
    return "\n".join(
        f"image {index + 1}: {counts_in_words(row, counted.nouns)}"
        for index, row in enumerate(counted.numbers.tolist())
    )
