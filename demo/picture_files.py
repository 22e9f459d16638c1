"""Where the pictures of the help pages and workflows are, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .comfy_host import ROOT
from .contact_sheet import captioned, fitted

WORKFLOWS, HELP = ROOT / "workflows", ROOT / "web" / "docs"
_THUMBNAIL, _CELL = 512, 226
_BAND, _BAND_TOP, _BAND_HEIGHT, _WHITE, _GREEN, _GREY = (
    (24, 26, 32),
    126,
    260,
    (255, 255, 255),
    (170, 220, 110),
    (190,) * 3,
)
_LARGEST, _SMALLEST, _SIDE = 84, 14, 24
_DARKENED = 0.45


@dataclass(frozen=True)
class Band:
    """What is written across a workflow's picture: which model, which node, and which file it needs."""

    model: str
    node: str
    needs: str


def save(picture: Image.Image, path: Path) -> None:
    """Write a JPEG and say so."""
    path.parent.mkdir(exist_ok=True)
    picture.convert("RGB").save(path, quality=88, optimize=True)
    print(path.relative_to(ROOT), flush=True)


def thumbnail_path(template: str) -> Path:
    """Where ComfyUI looks for the square picture of workflows/<template>.json."""
    return WORKFLOWS / f"{template}.jpg"


def thumbnail(lines: Sequence[Sequence[tuple[str, np.ndarray]]], template: str) -> None:
    """Write the square picture of workflows/<template>.json: lines of captioned pictures."""
    square_thumbnail(captioned(lines, _CELL), thumbnail_path(template))


def square_thumbnail(picture: Image.Image, path: Path) -> None:
    """Write a workflow's square picture."""
    save(fitted(np.asarray(picture), _THUMBNAIL), path)


def banded(picture: Image.Image, band: Band) -> Image.Image:
    """A workflow's square picture: the graph, darkened, behind a band with large type."""
    side = min(picture.size)
    graph = picture.convert("RGB").crop((0, 0, side, side)).resize((_THUMBNAIL, _THUMBNAIL), Image.Resampling.LANCZOS)
    made = Image.eval(graph, lambda level: round(level * _DARKENED))
    pen = ImageDraw.Draw(made)
    pen.rectangle([0, _BAND_TOP, _THUMBNAIL, _BAND_TOP + _BAND_HEIGHT], fill=_BAND)
    lines = ((band.model, 0.27, _LARGEST, _WHITE), (band.node, 0.61, _LARGEST, _GREEN), (band.needs, 0.87, 30, _GREY))
    for text, height, largest, colour in lines:
        place = (_THUMBNAIL // 2, _BAND_TOP + round(height * _BAND_HEIGHT))
        pen.text(place, text, fill=colour, font=_widest(text, largest), anchor="mm")
    return made


def _widest(text: str, largest: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The largest type in which the text fits between the picture's sides."""
    for size in range(largest, _SMALLEST, -1):
        font = ImageFont.load_default(size)
        if font.getlength(text) <= _THUMBNAIL - 2 * _SIDE:
            return font
    return ImageFont.load_default(_SMALLEST)
