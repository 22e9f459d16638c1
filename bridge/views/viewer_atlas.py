"""Maps as 8-bit grey pictures that a page can read: tiles of words beside each other, one row of tiles per moment."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import numpy as np
from einops import rearrange
from PIL import Image
from torch import Tensor
from torch.nn.functional import interpolate

from ...core.attention import halved
from ...core.drawing import pixels_of

_JPEG_QUALITY = 85  # the picture is the background of maps


@dataclass(frozen=True)
class Atlas:
    """A picture of tiles, and what a page must know to read values off it.

    Attributes:
        png: the file's bytes.
        about: "grid" (height, width of a tile), "rows" and "columns" of tiles per picture of the batch, "ranges"
            [picture][row][column] of the least and the largest value, which are grey 0 and 255.
    """

    png: bytes
    about: dict[str, Any]


def heat_atlas(heat: Tensor, together: bool) -> Atlas:
    """Tiles of maps.

    Args:
        heat: (B, rows, columns, h, w).
        together: whether all rows of a column share one range, so that they compare.
    """
    axes = (1, 3, 4) if together else (3, 4)
    low, high = heat.amin(axes, keepdim=True), heat.amax(axes, keepdim=True)
    grey = ((heat - low) / (high - low).clamp_min(1e-12) * 255).round()
    ranges = [part.expand(*heat.shape[:3], 1, 1)[..., 0, 0].tolist() for part in (low, high)]
    about = {
        "grid": list(heat.shape[-2:]),
        "rows": heat.shape[1],
        "columns": heat.shape[2],
        "ranges": [
            [[[_short(a), _short(b)] for a, b in zip(*row, strict=True)] for row in zip(*item, strict=True)]
            for item in zip(*ranges, strict=True)
        ],
    }
    return Atlas(grey_png(rearrange(grey, "b r c h w -> (b r h) (c w)")), about)


def _short(value: float) -> float:
    return float(f"{value:.4g}")


def grey_png(values: Tensor) -> bytes:
    """(H, W) values 0 to 255 as a PNG file."""
    file = io.BytesIO()
    Image.fromarray(values.cpu().numpy().astype(np.uint8)).save(file, "PNG", compress_level=9)
    return file.getvalue()


def within(heat: Tensor, most: int) -> Tensor:
    """(..., h, w) maps, their sides halved by areas until there are at most `most` values; 4 x 4 is the coarsest."""
    height, width = heat.shape[-2:]
    others = heat.numel() // (height * width)
    grid = halved((height, width), max(most // max(others, 1), 16))
    if grid == (height, width) or not heat.numel():
        return heat
    flat = interpolate(heat.reshape(1, -1, height, width), size=grid, mode="area")
    return flat.reshape(*heat.shape[:-2], *grid)


def jpeg(picture: Tensor, most: int) -> tuple[bytes, tuple[int, int]]:
    """(H, W, 3) in 0 to 1 as a JPEG file of at most `most` pixels, and its width and height."""
    height, width = picture.shape[:2]
    scale = min(1.0, (most / (height * width)) ** 0.5)
    image = Image.fromarray(pixels_of(picture))
    if scale < 1:
        image = image.resize((max(int(width * scale), 1), max(int(height * scale), 1)), Image.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=_JPEG_QUALITY)
    return file.getvalue(), image.size
