"""A line of text in a picture's upper left corner."""

from __future__ import annotations

import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .pixels import image_of

_SHARE = 20
"""The letters are as high as this part of the picture's shorter side."""
_SMALLEST, _READABLE, _LARGEST = 11, 8, 200
_STRIP_OPACITY = 0.6


def draw_label(picture: Tensor, text: str) -> None:
    """Write `text` on a dark strip in the upper left corner, in place.

    The letters shrink until the text fits; what then still does not fit is cut off with three dots. A picture without room
    for readable letters stays as it is.

    Args:
        picture: (H, W, 3) RGB in 0..1, float32.
        text: shown on one line; letters that Pillow's own font lacks show as boxes.
    """
    height, width = picture.shape[:2]
    written = _written(" ".join(text.split()), height, width)
    if written is None:
        return
    strip = picture[: written.shape[0], : written.shape[1]]
    strip.mul_(1 - _STRIP_OPACITY)
    strip.lerp_(torch.ones_like(strip), written.to(strip).unsqueeze(-1))


def _written(text: str, height: int, width: int) -> Tensor | None:
    """(h, w) how much of each pixel of the strip is letter; None without room."""
    size = max(_SMALLEST, min(_LARGEST, min(height, width) // _SHARE))
    size = min(size, height // 4)
    while size >= _READABLE and _strip(text, size)[1] > width:
        size = min(size - 1, int(size * width / _strip(text, size)[1]))
    size = max(size, min(_READABLE, height // 4))
    if size < _READABLE:
        return None
    shown = text
    while _strip(shown, size)[1] > width:
        shown = shown.removesuffix("...")[:-1] + "..."
        if shown == "...":
            return None
    rows, columns = _strip(shown, size)
    canvas = Image.new("L", (columns, rows))
    font = ImageFont.load_default(size)
    ImageDraw.Draw(canvas).text((size // 3, rows // 2), shown, fill=255, font=font, anchor="lm")
    return image_of(canvas)


def _strip(text: str, size: int) -> tuple[int, int]:
    """Rows and columns that a line of text takes, with its margin."""
    return size + size // 3, round(ImageFont.load_default(size).getlength(text)) + 2 * (size // 3)
