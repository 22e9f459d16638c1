"""Masks and boxes of the instances that a recorded run shows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import Tensor

from ...core.attention import (
    Box,
    RunRecord,
    bounding_box,
    noun_heat_over_time,
    noun_instances,
    outline_levels,
    prominence,
    split_into,
)
from ...core.counting import count_words
from ...core.drawing import outlined_objects, plain_picture, readable, resize_maps
from ...core.errors import CountError
from ..comfyui.node_names import COUNT_GUIDE
from ..recording.maps import EmptyRun, MapsHandle
from .viewer import NOT_OF_THIS_LATENT, instances_of_layout, pictures_for

Which = Literal["found", "asked", "layout"]
MAX_INSTANCES = 64  # a noisy map has a thousand peaks, and each mask is as large as the picture


@dataclass(frozen=True)
class _Small:
    """An instance on the maps' grid.

    Attributes:
        noun: what it is.
        levels: (h, w), positive inside it.
        strength: how far it stands out in its noun's map, 0 to 1.
    """

    noun: str
    levels: Tensor
    strength: float


@dataclass(frozen=True)
class FoundInstances:
    """Instances of one picture.

    Attributes:
        masks: (N, H, W) bool, N at most `MAX_INSTANCES`; a single empty one when nothing is found.
        boxes: one per instance, in pixels.
        text: one line per instance, and one before them where there are more instances than masks.
        nouns: what each instance is.
        scores: how far each instance stands out in the map of its noun, 0 to 1.
        picture: (H, W, 3) the picture that was read, where it was given.
    """

    masks: Tensor
    boxes: tuple[Box, ...]
    text: str
    nouns: tuple[str, ...] = ()
    scores: tuple[float, ...] = ()
    picture: Tensor | None = None

    @property
    def as_boxes(self) -> list[list[dict[str, Any]]]:
        """As ComfyUI's BOUNDING_BOX: a list of this one picture's boxes."""
        return [
            [
                {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "label": noun, "score": score}
                for box, noun, score in zip(self.boxes, self.nouns, self.scores, strict=True)
            ]
        ]

    @property
    def outlined(self) -> Tensor:
        """(1, H, W, 3) the picture, or a grey one, with the instances' numbered outlines."""
        size = (self.masks.shape[1], self.masks.shape[2])
        picture = readable(plain_picture(1, size)[0] if self.picture is None else self.picture)
        masks = resize_maps(self.masks[: len(self.boxes)].float(), (picture.shape[0], picture.shape[1])) > 0.5
        kinds = list(dict.fromkeys(self.nouns))
        return outlined_objects(picture, masks, [kinds.index(noun) for noun in self.nouns])[None]


def find_instances(
    handle: MapsHandle, samples: Tensor, item: int, which: Which, threshold: float, image: Tensor | None = None
) -> FoundInstances:
    """Separate the counted things of one picture.

    The maps of the second half of the recorded steps are used: those of the noisy half are of things to come. Of more than
    `MAX_INSTANCES` the strongest are taken: those that stand out most in the map of their noun.

    Args:
        which: as many as the maps show, as many as were asked for, or those of the layout that a run was guided to.
        image: the decoded pictures, to draw on.

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
        what = "images" if record.frames == 1 else "frames"
        raise CountError(
            f"batch_index is {item}, but the run made {count_words(batch, what)}; the last one is {batch - 1}"
        )
    picture = None if image is None else pictures_for(record, image)[item]
    small = [one for one in _instances(record, item, which, threshold) if (one.levels > 0).any()]
    found = [(one, resize_maps(one.levels[None], record.size)[0] > 0) for one in _strongest(small)]
    placed = [(one, mask, box) for one, mask in found if (box := bounding_box(mask)) is not None]
    if not placed:
        return FoundInstances(_nothing(record), (), f"{note}none of {', '.join(record.nouns)}", picture=picture)
    if len(small) > MAX_INSTANCES:
        note += (
            f"{len(small)} instances were found; these are the {MAX_INSTANCES} strongest. Raise threshold for fewer\n"
        )
    lines = [f"{one.noun}: {box.width} x {box.height} at {box.x}, {box.y}" for one, _, box in placed]
    return FoundInstances(
        torch.stack([mask for _, mask, _ in placed]),
        tuple(box for _, _, box in placed),
        note + "\n".join(lines),
        tuple(one.noun for one, _, _ in placed),
        tuple(round(one.strength, 4) for one, _, _ in placed),
        picture,
    )


def _nothing(record: RunRecord | EmptyRun) -> Tensor:
    return torch.zeros(1, *record.size, dtype=torch.bool)


def _strongest(instances: list[_Small]) -> list[_Small]:
    """At most `MAX_INSTANCES`, in their order."""
    strongest = sorted(range(len(instances)), key=lambda place: -instances[place].strength)[:MAX_INSTANCES]
    return [instances[place] for place in sorted(strongest)]


def _instances(record: RunRecord, item: int, which: Which, threshold: float) -> list[_Small]:
    """All instances of a picture, noun by noun."""
    over_time = noun_heat_over_time(record)[:, item]
    heat = over_time[len(over_time) // 2 :].mean(0)
    if which == "layout":
        found = _of_layout(record, item)
    elif which == "asked":
        counts = (min(count, heat[0].numel()) for count in record.counts)
        found = [split_into(own, threshold, count) for own, count in zip(heat, counts, strict=True)]
    else:
        found = [noun_instances(own, threshold) for own in heat]
    return [
        _Small(noun, levels, strength)
        for noun, own, masks in zip(record.nouns, heat, found, strict=True)
        for levels, strength in zip(
            masks - 0.5 if which == "layout" else outline_levels(own, masks, threshold),
            prominence(own, masks).tolist(),
            strict=True,
        )
    ]


def _of_layout(record: RunRecord, item: int) -> list[Tensor]:
    """Per noun, its masks; none for a noun that the layout does not have."""
    if not record.layouts:
        raise CountError(
            f"these maps have no layout. Connect MAPS of {COUNT_GUIDE}, or choose found or asked in instances"
        )
    layouts = [record.layouts.get(noun) for noun in record.nouns]
    found = [[] if layout is None else instances_of_layout(layout[1][item]) for layout in layouts]
    return [torch.stack(masks) if masks else torch.zeros(0, *record.grid) for masks in found]
