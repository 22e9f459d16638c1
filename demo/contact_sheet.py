"""Draws pictures side by side with captions."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from .report import Count, Row

INK, PAPER, SOFT = (32, 32, 36), (255, 255, 255), (110, 110, 118)
RIGHT, WRONG = (28, 140, 60), (200, 60, 50)
CELL, GAP, MARGIN, LINE, FRAME = 128, 10, 20, 22, 3
BETWEEN = 40  # pixels between two columns


def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _write(pen: ImageDraw.ImageDraw, place: tuple[int, int], text: str, size: int = 15, colour=INK) -> None:
    pen.text(place, text, fill=colour, font=_font(size))


def fitted(picture: np.ndarray, size: int) -> Image.Image:
    """The picture in a square of `size` pixels, uncropped."""
    image = Image.fromarray(picture)
    scale = size / max(image.size)
    small = image.resize([round(side * scale) for side in image.size], Image.Resampling.LANCZOS)
    square = Image.new("RGB", (size, size), PAPER)
    square.paste(small, ((size - small.width) // 2, (size - small.height) // 2))
    return square


def _cell(sheet: Image.Image, place: tuple[int, int], picture: np.ndarray, count: Count) -> None:
    """One picture in a frame that says whether it is right, its count below."""
    (x, y), colour = place, RIGHT if count.is_right else WRONG
    pen = ImageDraw.Draw(sheet)
    pen.rectangle([x - FRAME, y - FRAME, x + CELL + FRAME - 1, y + CELL + FRAME - 1], fill=colour)
    sheet.paste(fitted(picture, CELL), place)
    _write(pen, (x, y + CELL + FRAME + 1), f"{count}", 15, colour)


def contact_sheet(rows: Sequence[Row]) -> Image.Image:
    """Every prompt's pictures, column by column, each with its count in green or red."""
    widths = {
        title: max(len(column.pictures) * (CELL + GAP) - GAP, round(_font(20).getlength(title)))
        for title, column in rows[0].columns.items()
    }
    lefts = dict(zip(widths, accumulate((width + BETWEEN for width in widths.values()), initial=MARGIN), strict=False))
    height = MARGIN + 2 * LINE + len(rows) * (CELL + 3 * LINE) + MARGIN
    width = 2 * MARGIN + sum(widths.values()) + BETWEEN * (len(widths) - 1)
    sheet = Image.new("RGB", (width, height), PAPER)
    pen = ImageDraw.Draw(sheet)
    for title, left in lefts.items():
        _write(pen, (left, MARGIN), title, 20)
    y = MARGIN + 2 * LINE
    for row in rows:
        _write(pen, (MARGIN, y), f"“{row.ask.prompt}”, that is {row.ask.wanted}", 16)
        for title, column in row.columns.items():
            for index, (picture, count) in enumerate(zip(column.pictures, column.counts, strict=True)):
                _cell(sheet, (lefts[title] + index * (CELL + GAP), y + LINE + FRAME), picture, count)
        y += CELL + 3 * LINE
    return sheet


def captioned(lines: Sequence[Sequence[tuple[str, np.ndarray]]], size: int = CELL) -> Image.Image:
    """Lines of pictures, each with its caption above it."""
    width = max(len(line) for line in lines) * (size + GAP) - GAP
    sheet = Image.new("RGB", (2 * MARGIN + width, 2 * MARGIN + len(lines) * (size + LINE + GAP) - GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, line in enumerate(lines):
        y = MARGIN + number * (size + LINE + GAP)
        for index, (caption, picture) in enumerate(line):
            x = MARGIN + index * (size + GAP)
            _write(pen, (x, y), caption, 14, SOFT)
            sheet.paste(fitted(picture, size), (x, y + LINE))
    return sheet
