"""What every counter that detects objects does around its network: the nouns, tiles, duplicates, progress and cancel."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import comfy.model_management
from torch import Tensor
from torch.nn.functional import interpolate

from ...core.counting import (
    ALWAYS,
    NEVER,
    Counted,
    Detected,
    DetectionSettings,
    box_inside,
    box_pixels,
    counted_detections,
    distinct,
    four_tiles,
    joined,
)
from ...core.errors import CountError
from ...core.prompts import singular

Look = Callable[[Tensor, Sequence[str], Callable[[], None]], Sequence[Sequence[Detected]]]
"""(H, W, 3) an image and nouns to the detections of each noun; what it has to call after each noun ends a cancelled run."""
_DEPTH = 2
"""How often a tile may be tiled again: up to 16 parts of an image."""
_SMALLEST = 64
"""Pixels of an image's side below which it is not tiled."""
_SYNTAX = re.compile(r":\s*[\d.]+\s*$|[(),.:\s]+")
"""What readers of detectors' prompts take for several phrases, and ComfyUI's of SAM3 for their limits ("cat:3, dog")."""


@dataclass(frozen=True)
class Seen:
    """What a detector says of one noun in one image, of Q boxes.

    Attributes:
        scores: (Q,) 0 to 1.
        corners: (Q, 4) left, top, right, bottom as shares of the image's width and height.
        masks: (Q, h, w) logits over the whole image; None where it gives none.
    """

    scores: Tensor
    corners: Tensor
    masks: Tensor | None = None


def phrase_of(noun: str, node: str) -> str:
    """A noun as a detector is asked for it: in the singular, its adjectives kept.

    Raises:
        CountError: nothing is left of it.
    """
    phrase = singular(_SYNTAX.sub(" ", noun).strip())
    if not phrase:
        raise CountError(f"{node} cannot count {noun!r}: it is not a noun. Ask for one, such as 'cats' or 'red cats'")
    return phrase


def detections_of(seen: Seen, size: tuple[int, int], threshold: float) -> list[Detected]:
    """The boxes above the threshold, the highest score first.

    Args:
        size: (height, width) of the image.
    """
    height, width = size
    scores = seen.scores.float()
    order = scores.argsort(descending=True)
    order = order[scores[order] > threshold]
    corners = (seen.corners[order].float() * scores.new_tensor([width, height, width, height])).tolist()
    found = []
    for query, edges, score in zip(order.tolist(), corners, scores[order].tolist(), strict=True):
        box = box_inside(edges, size, score)
        if box is None:
            continue
        mask = None
        if seen.masks is not None:
            left, top, right, bottom = box_pixels(box)
            large = interpolate(seen.masks[query].float()[None, None], size, mode="bilinear")[0, 0]
            mask = (large[top:bottom, left:right] > 0).cpu()
        found.append(Detected(box, mask))
    return found


def count_by_looks(
    images: Tensor,
    nouns: Sequence[str],
    look: Look,
    settings: DetectionSettings,
    most: int,
    has_masks: bool,
    on_progress: Callable[[int, int], None] | None,
) -> Counted:
    """Counts of N images, one after the other; see `core.counting.Counter.count`.

    Args:
        look: what the detector sees in one image.
        most: how many objects it can find at once; from half of that on, an image counts as dense.
        has_masks: whether it gives masks.

    Raises:
        InterruptProcessingException: the user pressed cancel.
    """
    found = []
    for index, image in enumerate(images):
        seen_nouns = 0

        def noun_done(before: int = index) -> None:
            nonlocal seen_nouns
            comfy.model_management.throw_exception_if_processing_interrupted()
            seen_nouns = min(seen_nouns + 1, len(nouns))  # those of tiles come on top
            if on_progress is not None:
                on_progress(before * len(nouns) + seen_nouns, len(images) * len(nouns))

        seen = _in_tiles(image, nouns, look, settings, most, noun_done)
        found.append(distinct(seen, nouns, settings.merge_overlap))
    return counted_detections(nouns, found, (images.shape[1], images.shape[2]), has_masks)


def _in_tiles(
    image: Tensor,
    nouns: Sequence[str],
    look: Look,
    settings: DetectionSettings,
    most: int,
    noun_done: Callable[[], None],
    depth: int = 0,
) -> list[Sequence[Detected]]:
    """The detections of each noun: in the whole image, and where it is dense in its tiles as well."""
    whole = list(look(image, nouns, noun_done))
    height, width = image.shape[:2]
    if settings.tiles == NEVER or depth == _DEPTH or min(height, width) < _SMALLEST:
        return whole
    is_tiled = settings.tiles == ALWAYS and depth == 0
    dense = [place for place, items in enumerate(whole) if is_tiled or len(items) >= most / 2]
    if not dense:
        return whole
    asked = [nouns[place] for place in dense]
    tiles = four_tiles(height, width)
    parts = []
    for tile in tiles:
        part = image[tile.top : tile.bottom, tile.left : tile.right]
        parts.append(_in_tiles(part, asked, look, settings, most, noun_done, depth + 1))
    for row, place in enumerate(dense):
        whole[place] = joined(whole[place], [(tile, part[row]) for tile, part in zip(tiles, parts, strict=True)])
    return whole
