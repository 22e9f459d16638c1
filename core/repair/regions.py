"""Pixels of a repair: where is painted, what is there before, and how the paint joins the image."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate

from ..counting import Box


def region_mask(box: Box, size: tuple[int, int], growth: float, feather: int, spared: Sequence[Box] = ()) -> Tensor:
    """(H, W) float32: 1 in the grown box, falling to 0 over `feather` pixels around it, 0 beyond.

    Args:
        size: (H, W) of the image.
        growth: how far the box grows on every side, as a share of its longer side.
        spared: objects that stay: the box grows into none of them.
    """
    grown = growth * max(box.width, box.height)
    mask = _ramp(box.x - grown, box.x + box.width + grown, size[1], feather)
    mask = _ramp(box.y - grown, box.y + box.height + grown, size[0], feather)[:, None] * mask
    for other in spared:
        mask = torch.where(_inside(other, size) & ~_inside(box, size), 0.0, mask)
    return mask


@dataclass(frozen=True)
class Crop:
    """A part of an image, in whole pixels, of the image's own shape.

    Attributes:
        rows, columns: what it covers.
    """

    rows: slice
    columns: slice

    def of(self, image: Tensor) -> Tensor:
        """The part of (H, W, ...), a view."""
        return image[self.rows, self.columns]


def crop_around(box: Box, size: tuple[int, int], context: float, margin: float = 0.0) -> Crop:
    """What is around a box in an image of size (H, W): both sides of the image times one share, up to the whole.

    Args:
        context: how many times the box's side is seen, on the side where the box takes more of the image.
        margin: pixels around the box that are seen at least.
    """
    sides = [max(context * side, side + 2 * margin) for side in (box.height, box.width)]
    share = min(1.0, max(side / length for side, length in zip(sides, size, strict=True)))
    lengths = [max(1, ceil(length * share)) for length in size]
    x, y = box.middle
    starts = [
        int(min(max(0.0, middle - length / 2), whole - length))
        for middle, length, whole in zip((y, x), lengths, size, strict=True)
    ]
    rows, columns = (slice(start, start + length) for start, length in zip(starts, lengths, strict=True))
    return Crop(rows, columns)


def resized(image: Tensor, size: tuple[int, int]) -> Tensor:
    """(h, w, C) in 0..1 of (H, W, C), bicubic; the same where it has that size."""
    if tuple(image.shape[:2]) == size:
        return image
    scaled = interpolate(image.movedim(-1, 0)[None], size, mode="bicubic", antialias=True)
    return scaled[0].movedim(0, -1).clamp(0, 1)


def smooth_fill(image: Tensor, region: Tensor) -> Tensor:
    """The image with a smooth continuation of what is around a region in it (push-pull, Gortler et al. 1996, section 3.4.3).

    Args:
        image: (H, W, C).
        region: (H, W) what is filled is above 0; where nothing is outside, the image stays.
    """
    known = (region == 0).to(image)
    if not known.any():
        return image
    return _pulled(image.movedim(-1, 0)[None], known[None, None])[0].movedim(0, -1)


def joined(image: Tensor, painted: Tensor, mask: Tensor) -> Tensor:
    """(H, W, C) `painted` where the mask (H, W) is 1, blended where it is between; `image` to the bit where it is 0."""
    share = mask.to(image)[..., None]
    return torch.where(share > 0, image + (painted.to(image) - image) * share, image)


def _ramp(start: float, end: float, length: int, feather: int) -> Tensor:
    """(length,) 1 for pixels whose centre is inside, falling outside."""
    centres = torch.arange(length, dtype=torch.float32) + 0.5
    outside = torch.maximum(start - centres, centres - end).clamp_min(0)
    return (1 - outside / (feather + 0.5)).clamp_min(0) if feather else (outside == 0).float()


def _inside(box: Box, size: tuple[int, int]) -> Tensor:
    """(H, W) bool: pixels of a box."""
    down = _ramp(box.y, box.y + box.height, size[0], 0)
    return (down[:, None] * _ramp(box.x, box.x + box.width, size[1], 0)) > 0


def _pulled(image: Tensor, known: Tensor) -> Tensor:
    """(1, C, H, W) with the unknown pixels taken from the image at half its size, and so on down."""
    if bool(known.all()) or max(image.shape[-2:]) == 1:
        return image
    share = avg_pool2d(known, 2, ceil_mode=True, count_include_pad=False)
    mean = avg_pool2d(image * known, 2, ceil_mode=True, count_include_pad=False) / share.clamp_min(1e-6)
    below = _pulled(mean, (share > 0).to(known))
    filled = interpolate(below, image.shape[-2:], mode="bilinear", align_corners=False)
    return torch.where(known > 0, image, filled)
