"""Masks and boxes of the instances that a recorded run shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ..core.attention.instances import Box, bounding_box, noun_instances, prominence, split_into
from ..core.attention.records import RunRecord
from ..core.attention.word_heat import noun_heat_over_time
from ..core.counting.wording import count_words
from ..core.drawing.overlay import resize_maps
from ..core.errors import CountError
from .maps import EmptyRun, MapsHandle
from .viewer import NOT_OF_THIS_LATENT, instances_of_layout

Which = Literal["found", "asked", "layout"]


@dataclass(frozen=True)
class FoundInstances:
    """Instances of one picture.

    Attributes:
        masks: (N, H, W) of 0 and 1; a single empty one when nothing is found.
        boxes: one per instance, in pixels.
        text: one line per instance.
        nouns: what each instance is.
        scores: how far each instance stands out in the map of its noun, 0 to 1.
    """

    masks: Tensor
    boxes: tuple[Box, ...]
    text: str
    nouns: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()

    @property
    def as_boxes(self) -> list[list[dict[str, Any]]]:
        """As ComfyUI's BOUNDING_BOX: a list of this one picture's boxes."""
        return [
            [
                {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "label": noun, "score": score}
                for box, noun, score in zip(self.boxes, self.nouns, self.scores, strict=True)
            ]
        ]


def find_instances(handle: MapsHandle, samples: Tensor, item: int, which: Which, threshold: float) -> FoundInstances:
    """Separate the counted things of one picture.

    The maps of the second half of the recorded steps are used: those of the noisy half are of things to come.

    Args:
        which: as many as the maps show, as many as were asked for, or those of the layout that a run was guided to.

    Nothing is found where the run left no maps.

    Raises:
        CountError: there was no run, the run made fewer pictures, or it had no layout.
    """
    record, belongs = handle.record_for(samples)
    if isinstance(record, EmptyRun):
        return FoundInstances(torch.zeros(1, *record.size), (), record.why)
    note = "" if belongs else f"{NOT_OF_THIS_LATENT}\n"
    batch = len(record.cross_attention)
    if item >= batch:
        what = "pictures" if record.frames == 1 else "frames"
        raise CountError(
            f"batch_index is {item}, but the run made {count_words(batch, what)}; the last one is {batch - 1}"
        )
    size = record.size
    masks, boxes, lines, nouns, scores = [], [], [], [], []
    for noun, small, standing in _by_noun(record, item, which, threshold):
        for mask, score in zip((resize_maps(small, size) > 0.5).float(), standing.tolist(), strict=True):
            box = bounding_box(mask > 0)
            if box is not None:
                masks.append(mask)
                boxes.append(box)
                nouns.append(noun)
                scores.append(round(score, 4))
                lines.append(f"{noun}: {box.width} x {box.height} at {box.x}, {box.y}")
    if not masks:
        return FoundInstances(torch.zeros(1, *size), (), f"{note}none of {', '.join(record.nouns)}")
    return FoundInstances(torch.stack(masks), tuple(boxes), note + "\n".join(lines), tuple(nouns), tuple(scores))


def _by_noun(record: RunRecord, item: int, which: Which, threshold: float) -> list[tuple[str, Tensor, Tensor]]:
    """Per noun, its masks on the maps' grid and how far each stands out."""
    over_time = noun_heat_over_time(record)[:, item]
    heat = over_time[len(over_time) // 2 :].mean(0)
    if which == "layout":
        layout = _of_layout(record, item)
        found = [(noun, heat[record.nouns.index(noun)], masks) for noun, masks in layout.items()]
    elif which == "asked":
        asked = zip(record.nouns, heat, record.counts, strict=True)
        found = [(noun, own, split_into(own, threshold, count)) for noun, own, count in asked]
    else:
        found = [(noun, own, noun_instances(own, threshold)) for noun, own in zip(record.nouns, heat, strict=True)]
    return [(noun, masks, prominence(own, masks)) for noun, own, masks in found]


def _of_layout(record: RunRecord, item: int) -> dict[str, Tensor]:
    if not record.layouts:
        raise CountError(
            "these maps have no layout. Connect MAPS of NUMINA Count Guide, or choose found or asked in instances"
        )
    found = {noun: instances_of_layout(after[item]) for noun, (_, after) in record.layouts.items()}
    return {noun: torch.stack(masks) if masks else torch.zeros(0, *record.grid) for noun, masks in found.items()}
