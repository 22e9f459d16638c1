"""The vocabulary of the Shapes scenes: which nouns and colours there are, and how each shape is drawn."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import ImageDraw

Point = tuple[float, float]
Colour = tuple[int, int, int]

PLURALS = {
    "circle": "circles",
    "square": "squares",
    "triangle": "triangles",
    "star": "stars",
    "heart": "hearts",
    "ring": "rings",
    "cross": "crosses",
    "moon": "moons",
}
NOUNS = tuple(PLURALS)

COLOURS: dict[str, Colour] = {
    "red": (218, 38, 38),
    "blue": (38, 84, 220),
    "green": (28, 158, 66),
    "yellow": (245, 196, 24),
    "purple": (146, 56, 190),
    "black": (30, 30, 34),
}


def _circle_points(centre: Point, radius: float, first: float = 0.0, last: float = 2 * math.pi) -> list[Point]:
    x, y = centre
    angles = (first + (last - first) * i / 32 for i in range(33))
    return [(x + radius * math.cos(angle), y + radius * math.sin(angle)) for angle in angles]


def _star_points(x: float, y: float, r: float) -> list[Point]:
    points = []
    for i in range(10):
        angle, reach = -math.pi / 2 + i * math.pi / 5, 1.12 * r if i % 2 == 0 else 0.48 * r
        points.append((x + reach * math.cos(angle), y + 0.08 * r + reach * math.sin(angle)))
    return points


def _heart_points(x: float, y: float, r: float) -> list[Point]:
    points = []
    for i in range(40):
        angle = 2 * math.pi * i / 40
        across = 16 * math.sin(angle) ** 3
        down = -(13 * math.cos(angle) - 5 * math.cos(2 * angle) - 2 * math.cos(3 * angle) - math.cos(4 * angle))
        points.append((x + r * across / 16, y + r * (down - 2.5) / 15))
    return points


def _moon_points(x: float, y: float, r: float) -> list[Point]:
    """A crescent, open to the right: an outer arc, then back along a smaller circle that cuts it."""
    outer = _circle_points((x, y), r, math.radians(52), math.radians(308))
    cut_x, reach = x + 0.62 * r, math.hypot(outer[0][0] - x - 0.62 * r, outer[0][1] - y)
    half = math.atan2(outer[0][1] - y, outer[0][0] - cut_x)
    inner = _circle_points((cut_x, y), reach, 2 * math.pi - half, half)
    return outer + inner


def _draw_cross(pen: ImageDraw.ImageDraw, x: float, y: float, r: float, colour: Colour) -> None:
    arm = 0.34 * r
    pen.rectangle([x - arm, y - r, x + arm, y + r], fill=colour)
    pen.rectangle([x - r, y - arm, x + r, y + arm], fill=colour)


_DRAW: dict[str, Callable[[ImageDraw.ImageDraw, float, float, float, Colour], None]] = {
    "circle": lambda pen, x, y, r, c: pen.ellipse([x - r, y - r, x + r, y + r], fill=c),
    "square": lambda pen, x, y, r, c: pen.rectangle([x - 0.86 * r, y - 0.86 * r, x + 0.86 * r, y + 0.86 * r], fill=c),
    "triangle": lambda pen, x, y, r, c: pen.polygon([(x, y - r), (x - r, y + 0.8 * r), (x + r, y + 0.8 * r)], fill=c),
    "star": lambda pen, x, y, r, c: pen.polygon(_star_points(x, y, r), fill=c),
    "heart": lambda pen, x, y, r, c: pen.polygon(_heart_points(x, y, r), fill=c),
    "ring": lambda pen, x, y, r, c: pen.ellipse([x - r, y - r, x + r, y + r], outline=c, width=round(0.36 * r)),
    "cross": _draw_cross,
    "moon": lambda pen, x, y, r, c: pen.polygon(_moon_points(x, y, r), fill=c),
}


def draw_shape(pen: ImageDraw.ImageDraw, noun: str, centre: Point, radius: float, colour: Colour) -> None:
    """Draw one shape.

    Args:
        pen: where to draw.
        noun: one of `NOUNS`.
        centre: (x, y) in pixels.
        radius: half the width of the shape in pixels.
        colour: RGB, 0 to 255.
    """
    _DRAW[noun](pen, centre[0], centre[1], radius, colour)
