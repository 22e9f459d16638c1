"""What is drawn over pictures: heat, regions, outlines, counts. Pictures are (..., H, W, 3) RGB in 0..1."""

from __future__ import annotations

from .colours import kind_colours
from .counts import count_overlay, dot_radius
from .outlines import outlined_objects, readable
from .overlay import heat_overlay, plain_picture, region_overlay, resize_maps

__all__ = [
    "count_overlay",
    "dot_radius",
    "heat_overlay",
    "kind_colours",
    "outlined_objects",
    "plain_picture",
    "readable",
    "region_overlay",
    "resize_maps",
]
