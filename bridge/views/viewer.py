"""Turns recorded maps into the pictures of Attention Map Viewer."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Literal

import torch
from einops import rearrange, repeat
from torch import Tensor

from ...core.attention import (
    RunRecord,
    Scale,
    bounding_box,
    find_words,
    instance_labels,
    noun_heat_over_time,
    scaled,
    self_attention_regions,
    word_heat,
)
from ...core.counting import count_words, counts_in_words
from ...core.drawing import heat_overlay, kind_colours, outlined_objects, plain_picture, region_overlay, resize_maps
from ...core.errors import CountError
from ...core.prompts import plural
from ..comfyui.node_names import COUNT_GUIDE
from ..recording.maps import EmptyRun, MapsHandle

VIDEO_DIMENSIONS = 5  # of a latent
NOT_OF_THIS_LATENT = "No maps for this latent: connect the LATENT of the sampler. Showing those of the newest run."
_STEPS_SHOWN = 8  # in one picture, evenly taken from the run


@dataclass(frozen=True)
class ViewSettings:
    """What the viewer shows; see the node for the meaning of each."""

    show: Literal["words", "regions", "steps", "layout", "objects"] = "words"
    words: str = ""
    opacity: float = 0.7
    scale: Scale = "per word"


@dataclass(frozen=True)
class View:
    """Pictures (V, H, W, 3), masks (V, H, W) and a line of text for each of the V views."""

    pictures: Tensor
    masks: Tensor
    text: str


def pictures_for(record: RunRecord, image: Tensor | None) -> Tensor:
    """(B, H, W, 3) pictures to draw on: the given ones, or grey ones of a fitting size.

    Raises:
        CountError: there are not as many pictures as the run made.
    """
    batch = len(record.cross_attention)
    if image is None:
        return plain_picture(batch, record.size)
    pictures = image[..., :3].float().cpu()
    if len(image) != batch and record.samples.ndim == VIDEO_DIMENSIONS:
        return _frames_shown(pictures, len(record.samples), batch)
    if len(image) != batch:
        raise CountError(
            f"the run made {count_words(batch, 'images')}, image has {len(image)}. Connect the image decoded from the "
            "same LATENT"
        )
    return pictures


def _frames_shown(pictures: Tensor, videos: int, batch: int) -> Tensor:
    """One picture for each frame of the latent; a video has several for most of them."""
    if len(pictures) % videos:
        raise CountError(
            f"image has {count_words(len(pictures), 'images')} for {videos} videos. Connect the images decoded from the "
            "same LATENT"
        )
    clips = rearrange(pictures, "(v t) h w c -> v t h w c", v=videos)
    shown = torch.linspace(0, clips.shape[1] - 1, batch // videos).round().long()
    return rearrange(clips[:, shown], "v f h w c -> (v f) h w c")


def view_maps(handle: MapsHandle, samples: Tensor, image: Tensor | None, settings: ViewSettings) -> View:
    """Draw what a run recorded; the bare pictures where it left nothing to draw.

    A word that is not in the prompt is no error: the page's view keeps the words of the run before.

    Raises:
        CountError: there was no run, or the pictures do not fit the run.
    """
    record, belongs = handle.record_for(samples)
    if isinstance(record, EmptyRun):
        return _bare(record, image)
    pictures = pictures_for(record, image)
    draw = {"words": _words, "regions": _regions, "steps": _steps, "layout": _layout, "objects": _objects}
    view = draw[settings.show](record, pictures, settings)
    if belongs:
        return view
    return View(view.pictures, view.masks, f"{NOT_OF_THIS_LATENT}\n{view.text}")


def _bare(run: EmptyRun, image: Tensor | None) -> View:
    """The run's pictures without a map on them, and why there is none."""
    pictures = plain_picture(len(run.samples), run.size) if image is None else image[..., :3].float().cpu()
    return View(pictures, torch.zeros(pictures.shape[:3]), run.why)


def _overlays(record: RunRecord, pictures: Tensor, heat: Tensor, names: list[str], settings: ViewSettings) -> View:
    """One overlay per picture and map: heat (B, k, h, w) with k names."""
    masks = resize_maps(scaled(heat, settings.scale), (pictures.shape[1], pictures.shape[2]))
    flat = rearrange(masks, "b k h w -> (b k) h w")
    base = repeat(pictures, "b h w c -> (b k) h w c", k=len(names))
    lines = [f"{record.name_of(item)}: {name}" for item in range(len(pictures)) for name in names]
    return View(heat_overlay(base, flat, settings.opacity), flat, "\n".join(lines))


def _words(record: RunRecord, pictures: Tensor, settings: ViewSettings) -> View:
    try:
        words = find_words(record, settings.words)
    except CountError as error:
        view = _words(record, pictures, replace(settings, words=""))
        return View(view.pictures, view.masks, f"{error}. These are the counted words.\n{view.text}")
    return _overlays(record, pictures, word_heat(record, words), [word for word, _ in words], settings)


def _steps(record: RunRecord, pictures: Tensor, settings: ViewSettings) -> View:
    heat = noun_heat_over_time(record)
    shown = sorted({round(i) for i in torch.linspace(0, len(heat) - 1, min(_STEPS_SHOWN, len(heat))).tolist()})
    names = [f"{noun}, step {record.steps[step].step + 1}" for step in shown for noun in record.nouns]
    return _overlays(record, pictures, rearrange(heat[shown], "s b k h w -> b (s k) h w"), names, settings)


def _regions(record: RunRecord, pictures: Tensor, settings: ViewSettings) -> View:
    size = (pictures.shape[1], pictures.shape[2])
    overlays, masks, lines = [], [], []
    for item, picture in enumerate(pictures):
        regions = self_attention_regions(record.maps(), item, record.noun_tokens, sum(record.counts))
        large = (resize_maps(regions, size) > 0.5).float()
        overlays.append(region_overlay(picture, large, settings.opacity))
        masks.append(large.amax(0) if len(large) else torch.zeros(size))
        lines.append(f"{record.name_of(item)}: {count_words(len(regions), 'regions')} of {', '.join(record.nouns)}")
    return View(torch.stack(overlays), torch.stack(masks), "\n".join(lines))


def objects_of(record: RunRecord, item: int, size: tuple[int, int]) -> tuple[Tensor, list[int]]:
    """The objects found in one picture, as the page's view numbers them: (N, H, W) bool masks, and the noun of each."""
    labels, counts = instance_labels(record, item)
    kinds = [noun for noun, count in enumerate(counts) for _ in range(count)]
    if not kinds:
        return torch.zeros(0, *size, dtype=torch.bool), []
    small = torch.stack([(labels == number).float() for number in range(1, len(kinds) + 1)])
    return resize_maps(small, size) > 0.5, kinds


def _objects(record: RunRecord, pictures: Tensor, settings: ViewSettings) -> View:
    """Numbered outlines of the objects found, with their kinds' masks laid over each other."""
    size = (pictures.shape[1], pictures.shape[2])
    overlays, masks, lines = [], [], []
    for item, picture in enumerate(pictures):
        found, kinds = objects_of(record, item, size)
        overlays.append(outlined_objects(picture, found, kinds))
        masks.append(found.any(0).float())
        numbers = [kinds.count(kind) for kind in range(len(record.nouns))]
        lines.append(f"{record.name_of(item)}: found {counts_in_words(numbers, map(plural, record.nouns))}")
    return View(torch.stack(overlays), torch.stack(masks), "\n".join(lines))


@dataclass(frozen=True)
class SelectedObjects:
    """Objects that were picked, in the order of the images and then of the clicks.

    Attributes:
        masks: (N, H, W); a single empty one where none was picked.
        boxes: theirs as ComfyUI's BOUNDING_BOX, a list for each image of the batch, empty where none was picked.
    """

    masks: Tensor
    boxes: list[list[dict[str, Any]]]


def selected_objects(handle: MapsHandle, samples: Tensor, image: Tensor | None, selected: str) -> SelectedObjects:
    """The objects that `selected` names: "1:3" is object 3 of image 1, as the page's view numbers them.

    What the run does not have is left out: the text may be of the run before.
    """
    record, _ = handle.record_for(samples)
    wanted = [(int(one), int(other)) for one, other in re.findall(r"(\d+):(\d+)", selected)]
    if isinstance(record, EmptyRun):
        images = record.samples if image is None else image
        return SelectedObjects(torch.zeros(1, *record.size), [[] for _ in images])
    pictures = pictures_for(record, image)
    size = (pictures.shape[1], pictures.shape[2])
    masks: list[Tensor] = []
    boxes: list[list[dict[str, Any]]] = [[] for _ in pictures]
    for place in sorted({one for one, _ in wanted if 1 <= one <= len(pictures)}):
        found, kinds = objects_of(record, place - 1, size)
        for number in (number for one, number in wanted if one == place and 1 <= number <= len(kinds)):
            box = _box(found[number - 1], record.nouns[kinds[number - 1]])
            boxes[place - 1] += [box] if box else []
            masks.append(found[number - 1].float())
    return SelectedObjects(torch.stack(masks) if masks else torch.zeros(1, *size), boxes)


def _box(mask: Tensor, noun: str) -> dict[str, Any]:
    box = bounding_box(mask)
    if box is None:
        return {}
    return {"x": box.x, "y": box.y, "width": box.width, "height": box.height, "label": noun, "score": 1.0}


def instances_of_layout(layout: Tensor) -> list[Tensor]:
    """One mask per instance of a (h, w) layout, those that were added behind the others; removed ones are left out."""
    return [(layout == number).float() for number in layout.unique().tolist() if number > 0]


def _layout(record: RunRecord, pictures: Tensor, settings: ViewSettings) -> View:
    """The layout as it was detected and the one that was aimed at, of one picture after the other."""
    if not record.layouts:
        raise CountError(
            f"these maps have no layout. Connect MAPS of {COUNT_GUIDE}, or choose words, regions or steps in show"
        )
    size = (pictures.shape[1], pictures.shape[2])
    overlays, masks, lines = [], [], []
    for item, picture in enumerate(pictures):
        for state, name in enumerate(("detected", "target")):
            found = {noun: instances_of_layout(pair[state][item]) for noun, pair in record.layouts.items()}
            small = [mask for own in found.values() for mask in own]
            kinds = [kind for kind, own in enumerate(found.values()) for _ in own]
            large = (resize_maps(torch.stack(small), size) > 0.5).float() if small else torch.zeros(0, *size)
            overlays.append(region_overlay(picture, large, settings.opacity, kind_colours(len(found))[kinds]))
            masks.append(large.amax(0) if len(large) else torch.zeros(size))
            counted = counts_in_words(map(len, found.values()), map(plural, found))
            lines.append(f"{record.name_of(item)}, {name}: {counted}")
    return View(torch.stack(overlays), torch.stack(masks), "\n".join(lines))
