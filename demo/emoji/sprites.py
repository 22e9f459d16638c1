"""The emoji art as sprites: one sheet, and a list that says what is where on it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from PIL import Image

_FOLDER = Path(__file__).resolve().parent
SHEET, LIST = _FOLDER / "sprites.webp", _FOLDER / "sprites.json"
SIDE = 96  # pixels of a sprite's longer side


@dataclass(frozen=True)
class Sprite:
    """One drawing of a noun.

    Attributes:
        style: "noto", "flat" or "3d".
        view: "body", "face", or "whole" where there are not both.
        colour: what a prompt may call it, or None.
        picture: RGBA, tightly cropped, longer side `SIDE`; shared, so nobody may draw on it.
    """

    noun: str
    style: str
    view: str
    colour: str | None
    picture: Image.Image


@cache
def all_sprites() -> dict[str, tuple[Sprite, ...]]:
    """Every sprite, by noun, in the order of the sheet."""
    with Image.open(SHEET) as opened:
        sheet = opened.convert("RGBA")
    found: dict[str, list[Sprite]] = {}
    for entry in json.loads(LIST.read_text()):
        left, top, width, height = entry.pop("box")
        picture = sheet.crop((left, top, left + width, top + height))
        found.setdefault(entry["noun"], []).append(Sprite(**entry, picture=picture))
    return {noun: tuple(sprites) for noun, sprites in found.items()}


def colours_of(noun: str) -> tuple[str, ...]:
    """The colours that a noun comes in, each once; empty where its art has no colour to name."""
    return tuple(dict.fromkeys(sprite.colour for sprite in all_sprites()[noun] if sprite.colour))
