"""Numbered outlines of objects over one picture. Pictures are (H, W, 3) RGB in 0..1."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from .colours import kind_colours
from .pixels import image_of, pixels_of

_MIN_SIDE = 512
"""Thin lines and small numbers can be read on a picture of this size."""
_LINE_SHARE = 150
"""A line is as thick as this part of the shorter side, at least one pixel."""
_TEXT_SHARE = 22
_MIN_TEXT = 9


def readable(picture: Tensor) -> Tensor:
    """The picture, enlarged by a whole number where its shorter side is below 512 pixels."""
    factor = -(-_MIN_SIDE // min(picture.shape[:2]))
    if factor <= 1:
        return picture
    return interpolate(picture.movedim(-1, 0)[None], scale_factor=factor, mode="nearest")[0].movedim(0, -1)


def outlined_objects(picture: Tensor, masks: Tensor, kinds: Sequence[int]) -> Tensor:
    """Draw a line around each object, in the colour of its kind, and its number on it.

    Args:
        picture: (H, W, 3).
        masks: (N, H, W) bool; an empty one is left out.
        kinds: which kind each object is, from 0.

    Returns:
        (H, W, 3) in 0..1.
    """
    out = picture.float().clone()
    width = max(1, min(picture.shape[:2]) // _LINE_SHARE)
    colours = kind_colours(max(kinds, default=0) + 1).to(out)
    for mask, kind in zip(masks, kinds, strict=True):
        out[_grown(mask, 2 * width) & ~_shrunk(mask, width)] = 0.0
        out[_grown(mask, width) & ~mask] = colours[kind]
    return _numbered(out, masks)


def _grown(mask: Tensor, by: int) -> Tensor:
    return max_pool2d(mask.float()[None, None], 2 * by + 1, stride=1, padding=by)[0, 0] > 0.5


def _shrunk(mask: Tensor, by: int) -> Tensor:
    return ~_grown(~mask, by)


def _numbered(picture: Tensor, masks: Tensor) -> Tensor:
    image = Image.fromarray(pixels_of(picture))
    draw = ImageDraw.Draw(image)
    size = max(_MIN_TEXT, min(picture.shape[:2]) // _TEXT_SHARE)
    font = ImageFont.load_default(size)
    for number, mask in enumerate(masks, start=1):
        if mask.any():
            y, x = mask.nonzero().float().mean(0).tolist()
            edge = max(1, size // 8)
            draw.text((x, y), str(number), "white", font, anchor="mm", stroke_width=edge, stroke_fill="black")
    return image_of(image).to(picture)
