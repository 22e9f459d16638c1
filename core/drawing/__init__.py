"""What is drawn over pictures: heat, regions, outlines, counts. Pictures are (..., H, W, 3) RGB in 0..1."""

from __future__ import annotations

from .colours import kind_colours
from .counts import count_overlay, dot_radius
from .outlines import outlined_objects, readable
from .overlay import heat_overlay, plain_picture, region_overlay, resize_maps
from .pairs import PicturePair, pairs_sheet
from .pixels import image_of, pixels_of

__all__ = [
    "PicturePair",
    "count_overlay",
    "dot_radius",
    "heat_overlay",
    "image_of",
    "kind_colours",
    "outlined_objects",
    "pairs_sheet",
    "pixels_of",
    "plain_picture",
    "readable",
    "region_overlay",
    "resize_maps",
]
