"""Pictures without and with something, side by side, each in a frame that says whether it is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from .pixels import image_of, pixels_of

_INK, _PAPER, _SOFT = (32, 32, 36), (255, 255, 255), (110, 110, 118)
_RIGHT, _WRONG = (28, 140, 60), (200, 60, 50)
_CELL, _GAP, _MARGIN, _LINE, _FRAME = 144, 14, 22, 22, 3
_COLUMNS = 3
_PAIR = 2 * _CELL + _GAP


@dataclass(frozen=True)
class PicturePair:
    """One row of a report.

    Attributes:
        title: written above, such as the prompt.
        pictures: two of (H, W, 3) RGB in 0..1, without and with.
        captions: what each shows.
        right: whether each is right.
    """

    title: str
    pictures: tuple[Tensor, ...]
    captions: tuple[str, ...]
    right: tuple[bool, ...]


def pairs_sheet(heading: str, lines: Sequence[str], pairs: Sequence[PicturePair]) -> Tensor:
    """(H, W, 3) RGB in 0..1: a heading, lines below it, and the pairs, three in a row.

    Texts that do not fit are cut off with three dots; letters that Pillow's own font lacks show as boxes.
    """
    columns = max(1, min(_COLUMNS, len(pairs)))
    width = max(2 * _MARGIN + columns * (_PAIR + 2 * _GAP) - 2 * _GAP, 2 * _MARGIN + 2 * (_PAIR + _GAP))
    top = _MARGIN + 2 * _LINE + len(lines) * _LINE + _GAP
    row = _LINE + _CELL + _LINE + 2 * _GAP
    sheet = Image.new("RGB", (width, top + -(-len(pairs) // columns) * row + _MARGIN), _PAPER)
    pen = ImageDraw.Draw(sheet)
    _write(pen, (_MARGIN, _MARGIN), heading, 24, _INK, width - 2 * _MARGIN)
    for place, line in enumerate(lines):
        _write(pen, (_MARGIN, _MARGIN + 2 * _LINE + place * _LINE), line, 16, _SOFT, width - 2 * _MARGIN)
    for place, pair in enumerate(pairs):
        _draw(sheet, pen, (_MARGIN + place % columns * (_PAIR + 2 * _GAP), top + place // columns * row), pair)
    return image_of(sheet)


def _draw(sheet: Image.Image, pen: ImageDraw.ImageDraw, corner: tuple[int, int], pair: PicturePair) -> None:
    left, y = corner
    _write(pen, (left, y), pair.title, 15, _INK, _PAIR)
    y += _LINE
    for place, (picture, caption, is_right) in enumerate(zip(pair.pictures, pair.captions, pair.right, strict=True)):
        x, colour = left + place * (_CELL + _GAP), _RIGHT if is_right else _WRONG
        pen.rectangle([x - _FRAME, y - _FRAME, x + _CELL + _FRAME - 1, y + _CELL + _FRAME - 1], fill=colour)
        sheet.paste(_fitted(picture), (x, y))
        _write(pen, (x, y + _CELL + _FRAME), caption, 14, colour, _CELL)


def _fitted(picture: Tensor) -> Image.Image:
    """The whole picture in a square cell."""
    image, square = Image.fromarray(pixels_of(picture[..., :3])), Image.new("RGB", (_CELL, _CELL), _PAPER)
    image.thumbnail((_CELL, _CELL), Image.Resampling.LANCZOS)
    square.paste(image, ((_CELL - image.width) // 2, (_CELL - image.height) // 2))
    return square


def _write(
    pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int, colour: tuple[int, int, int], room: int
) -> None:
    font, shown = ImageFont.load_default(size), " ".join(text.split())
    while shown != "..." and font.getlength(shown) > room:
        shown = shown.removesuffix("...")[:-1] + "..."
    pen.text(place, shown, fill=colour, font=font)
