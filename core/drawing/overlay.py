"""Maps and masks laid over pictures. Pictures are (..., H, W, 3) RGB in 0..1, maps and masks (..., H, W) in 0..1."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import CountError
from .colours import distinct_colours, heat_colours

_GREY = 0.35


def plain_picture(count: int, size: tuple[int, int]) -> Tensor:
    """(count, H, W, 3) grey pictures to draw on where there is no picture."""
    return torch.full((count, *size, 3), _GREY)


def resize_maps(maps: Tensor, size: tuple[int, int]) -> Tensor:
    """Bicubic resize of (..., h, w) maps to (..., H, W), kept inside the range of the input."""
    flat = maps.reshape(-1, 1, *maps.shape[-2:]).float()
    resized = interpolate(flat, size=size, mode="bicubic")
    low, high = flat.amin((2, 3), keepdim=True), flat.amax((2, 3), keepdim=True)
    return resized.clamp(low, high).reshape(*maps.shape[:-2], *size)


def heat_overlay(picture: Tensor, heat: Tensor, opacity: float) -> Tensor:
    """Blend the colour of `heat` over `picture`, the more the hotter.

    Args:
        picture: (B, H, W, 3).
        heat: (B, H, W) in 0..1.
        opacity: 0 shows the picture, 1 shows pure colour at the hottest point.

    Returns:
        (B, H, W, 3) in 0..1.

    Raises:
        CountError: the two have different sizes.
    """
    if picture.shape[:-1] != heat.shape:
        raise CountError(f"images of {tuple(picture.shape[:-1])} do not fit maps of {tuple(heat.shape)}")
    share = (opacity * (0.25 + 0.75 * heat.clamp(0, 1))).unsqueeze(-1)
    return (picture * (1 - share) + heat_colours(heat) * share).clamp(0, 1)


def region_overlay(picture: Tensor, masks: Tensor, opacity: float, colours: Tensor | None = None) -> Tensor:
    """Blend each mask over one picture, with a line around it.

    Args:
        picture: (H, W, 3).
        masks: (N, H, W), 0 or 1; N may be 0.
        opacity: 0 to 1.
        colours: (N, 3) RGB in 0..1; a different one for each mask without them.

    Returns:
        (H, W, 3) in 0..1.
    """
    colours = distinct_colours(len(masks)) if colours is None else colours
    out = picture.clone()
    for mask, colour in zip(masks, colours.to(picture), strict=True):
        inside = mask > 0.5
        out = torch.where(inside.unsqueeze(-1), out * (1 - 0.7 * opacity) + colour * 0.7 * opacity, out)
        out = torch.where((inside & ~_eroded(inside)).unsqueeze(-1), out * (1 - opacity) + colour * opacity, out)
    return out.clamp(0, 1)


def _eroded(mask: Tensor) -> Tensor:
    outside = (~mask).float()[None, None]
    return torch.nn.functional.max_pool2d(outside, 3, stride=1, padding=1)[0, 0] < 0.5
