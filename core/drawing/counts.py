"""A counter's answer drawn over its picture: where it sees things, a dot on each, and the number in a corner."""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..counting import Point, count_words
from ..errors import CountError
from .colours import heat_colours
from .label import draw_label

_ROWS = 512
"""Rows that are coloured at a time: a large picture costs no more than one copy of itself."""
_OPACITY = 0.75
_DOT, _RIM = (0.10, 1.00, 0.95), (0.0, 0.0, 0.0)


def count_overlay(picture: Tensor, density: Tensor, points: Sequence[Point], number: float, noun: str) -> Tensor:
    """Draw one noun's count over one picture.

    Args:
        picture: (H, W, 3) RGB in 0..1, at least 1 x 1.
        density: (H, W) how much of a thing each pixel holds; only its relative height shows.
        points: (x, y) of each thing, in pixels of the picture.
        number: the count, not necessarily whole.
        noun: what was counted, as it was asked for.

    Returns:
        (H, W, 3) in 0..1. Where nothing was found, the picture with its label alone.

    Raises:
        CountError: picture and density have different sizes.
    """
    if picture.shape[:2] != density.shape:
        raise CountError(f"an image of {tuple(picture.shape[:2])} does not fit a density of {tuple(density.shape)}")
    drawn = picture.float().clone()
    if points or number >= 0.5:
        _lay_heat(drawn, density.to(drawn))
        radius = dot_radius(picture.shape[0], picture.shape[1], len(points))
        for x, y in points:
            _draw_dot(drawn, x, y, radius)
    draw_label(drawn, count_words(number, noun))
    return drawn.clamp_(0, 1)


def dot_radius(height: int, width: int, dots: int) -> float:
    """Radius in pixels: a sixtieth of the shorter side, less where the dots would cover each other; never below 1."""
    apart = math.sqrt(height * width / max(dots, 1))
    return max(1.0, min(min(height, width) / 60, apart / 6))


def _lay_heat(drawn: Tensor, density: Tensor) -> None:
    """Colour the picture in place, fully transparent where there is no density."""
    top = density.max()
    if not top > 0:
        return
    for rows, mass in zip(drawn.split(_ROWS), density.split(_ROWS), strict=True):
        heat = (mass / top).clamp(0, 1).sqrt()  # the root shows the weak things beside the strong ones
        rows.lerp_(heat_colours(heat), (_OPACITY * heat).unsqueeze(-1))


def _draw_dot(drawn: Tensor, x: float, y: float, radius: float) -> None:
    """A bright disc with a dark rim around (x, y), in place; what lies past the edge is cut off."""
    height, width = drawn.shape[:2]
    rim = max(1.0, radius / 3)
    reach = math.ceil(radius + rim + 1)
    left, top = max(0, math.floor(x) - reach), max(0, math.floor(y) - reach)
    right, bottom = min(width, math.floor(x) + reach + 1), min(height, math.floor(y) + reach + 1)
    if left >= right or top >= bottom:
        return
    rows = torch.arange(top, bottom).to(drawn) + 0.5 - y
    columns = torch.arange(left, right).to(drawn) + 0.5 - x
    distance = torch.hypot(rows.unsqueeze(1), columns.unsqueeze(0)).unsqueeze(-1)
    patch = drawn[top:bottom, left:right]
    for size, colour in ((radius + rim, _RIM), (radius, _DOT)):
        patch.lerp_(drawn.new_tensor(colour).expand_as(patch), (size + 0.5 - distance).clamp(0, 1))
