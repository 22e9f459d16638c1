"""Masks and boxes of the instances that a recorded run shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..core.attention.instances import Box, bounding_box, noun_instances, split_into
from ..core.attention.records import RunRecord
from ..core.attention.word_heat import noun_heat_over_time
from ..core.counting.wording import count_words
from ..core.drawing.overlay import resize_maps
from ..core.errors import CountError
from .maps import EmptyRun, MapsHandle
from .viewer import NOT_OF_THIS_LATENT, instances_of_layout

Which = Literal["found", "asked", "layout"]
MAX_INSTANCES = 64  # a noisy map has a thousand peaks, and each mask is as large as the picture


@dataclass(frozen=True)
class _Small:
    """An instance on the grid of the maps: its noun, its (h, w) mask, and how strongly it is seen, 0 to 1."""

    noun: str
    mask: Tensor
    strength: float


@dataclass(frozen=True)
class FoundInstances:
    """Instances of one picture.

    Attributes:
        masks: (N, H, W) bool, N at most `MAX_INSTANCES`; a single empty one when nothing is found.
        boxes: one per instance, in pixels.
        text: one line per instance, and one before them where there are more instances than masks.
    """

    masks: Tensor
    boxes: tuple[Box, ...]
    text: str


def find_instances(handle: MapsHandle, samples: Tensor, item: int, which: Which, threshold: float) -> FoundInstances:
    """Separate the counted things of one picture.

    The maps of the second half of the recorded steps are used: those of the noisy half are of things to come. Of more than
    `MAX_INSTANCES` the strongest are taken, by the heat of their peak; those of a layout by their size.

    Args:
        which: as many as the maps show, as many as were asked for, or those of the layout that a run was guided to.

    Nothing is found where the run left no maps.

    Raises:
        CountError: there was no run, the run made fewer pictures, or it had no layout.
    """
    record, belongs = handle.record_for(samples)
    if isinstance(record, EmptyRun):
        return FoundInstances(_nothing(record), (), record.why)
    note = "" if belongs else f"{NOT_OF_THIS_LATENT}\n"
    batch = len(record.cross_attention)
    if item >= batch:
        what = "pictures" if record.frames == 1 else "frames"
        raise CountError(
            f"batch_index is {item}, but the run made {count_words(batch, what)}; the last one is {batch - 1}"
        )
    small = [one for one in _instances(record, item, which, threshold) if one.mask.any()]
    masks, boxes, lines = [], [], []
    for one in _strongest(small):
        mask = resize_maps(one.mask[None], record.size)[0] > 0.5
        box = bounding_box(mask)
        if box is not None:
            masks.append(mask)
            boxes.append(box)
            lines.append(f"{one.noun}: {box.width} x {box.height} at {box.x}, {box.y}")
    if not masks:
        return FoundInstances(_nothing(record), (), f"{note}none of {', '.join(record.nouns)}")
    if len(small) > MAX_INSTANCES:
        note += (
            f"{len(small)} instances were found; these are the {MAX_INSTANCES} strongest. Raise threshold for fewer\n"
        )
    return FoundInstances(torch.stack(masks), tuple(boxes), note + "\n".join(lines))


def _nothing(record: RunRecord | EmptyRun) -> Tensor:
    return torch.zeros(1, *record.size, dtype=torch.bool)


def _strongest(instances: list[_Small]) -> list[_Small]:
    """At most `MAX_INSTANCES`, in their order."""
    kept = sorted(range(len(instances)), key=lambda place: -instances[place].strength)[:MAX_INSTANCES]
    return [instances[place] for place in sorted(kept)]


def _instances(record: RunRecord, item: int, which: Which, threshold: float) -> list[_Small]:
    if which == "layout":
        return _of_layout(record, item)
    over_time = noun_heat_over_time(record)[:, item]
    heat = over_time[len(over_time) // 2 :].mean(0)
    found = []
    for noun, own, count in zip(record.nouns, heat, record.counts, strict=True):
        many = min(count, own.numel())
        masks = split_into(own, threshold, many) if which == "asked" else noun_instances(own, threshold)
        height = (own - own.median()) / (own.amax() - own.median()).clamp_min(1e-8)
        found += [_Small(noun, mask, float((height * mask).amax())) for mask in masks]
    return found


def _of_layout(record: RunRecord, item: int) -> list[_Small]:
    if not record.layouts:
        raise CountError(
            "these maps have no layout. Connect MAPS of NUMINA Count Guide, or choose found or asked in instances"
        )
    return [
        _Small(noun, mask, float(mask.mean()))
        for noun, (_, after) in record.layouts.items()
        for mask in instances_of_layout(after[item])
    ]
