"""What is drawn over pictures: heat, regions, counts. Pictures are (..., H, W, 3) RGB in 0..1."""

from __future__ import annotations

from .counts import count_overlay, dot_radius
from .overlay import heat_overlay, plain_picture, region_overlay, resize_maps
from .pairs import PicturePair, pairs_sheet

__all__ = [
    "PicturePair",
    "count_overlay",
    "dot_radius",
    "heat_overlay",
    "pairs_sheet",
    "plain_picture",
    "region_overlay",
    "resize_maps",
]
