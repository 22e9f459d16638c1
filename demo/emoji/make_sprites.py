"""Cuts the sprite sheet out of the emoji art: `python -m demo.emoji.make_sprites FOLDER`.

FOLDER holds the three npm packages, unpacked, each in a folder named as in `PACKAGES` with its `package` folder inside:
`npm pack @iconify-json/noto@1.2.9` and so on, then `tar xzf`. The vector art is drawn with resvg. Only the sheet and its list
enter the repository; nothing else reads the packages.
"""

from __future__ import annotations

import argparse
import colorsys
import io
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import resvg_py
from PIL import Image

from .sprites import LIST, SHEET, SIDE
from .vocabulary import ICONS, Icon

PACKAGES = {
    "noto": "iconify-json-noto-1.2.9",
    "flat": "iconify-json-fluent-emoji-flat-1.2.6",
    "3d": "lobehub-fluent-emoji-3d-1.1.0",
}
_COLUMNS = 12
_DRAWN = 512  # side in pixels at which the art is drawn before it is scaled down


def cropped(picture: Image.Image) -> Image.Image:
    """The picture without its empty margin, its longer side `SIDE`."""
    tight = picture.crop(picture.getchannel("A").point(lambda alpha: 255 * (alpha > 16)).getbbox())
    scale = SIDE / max(tight.size)
    return tight.resize([max(1, round(side * scale)) for side in tight.size], Image.Resampling.LANCZOS)


def turned(picture: Image.Image, degrees: int) -> Image.Image:
    """Every colour moved by `degrees` on the colour circle; white, grey and black stay."""
    pixels = np.asarray(picture).copy()
    colours, place = np.unique(pixels[..., :3].reshape(-1, 3), axis=0, return_inverse=True)
    moved = []
    for red, green, blue in colours / 255:
        hue, light, strength = colorsys.rgb_to_hls(red, green, blue)
        moved.append(colorsys.hls_to_rgb((hue + degrees / 360) % 1, light, strength))
    pixels[..., :3] = np.round(np.array(moved)[place.reshape(-1)].reshape((*pixels.shape[:2], 3)) * 255)
    return Image.fromarray(pixels)


def vector_picture(icons: dict[str, Any], name: str) -> Image.Image:
    """Draw one icon of a package of vector art."""
    icon = icons["icons"][name]
    height = icon.get("height", icons.get("height", 32))
    width = icon.get("width", icons.get("width", height))
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{_DRAWN}" height="{_DRAWN}">'
    drawn = resvg_py.svg_to_bytes(svg_string=f"{head}{icon['body']}</svg>")
    return Image.open(io.BytesIO(bytes(drawn))).convert("RGBA")


def pictures(folder: Path) -> Iterator[tuple[str, str, Icon, Image.Image]]:
    """Noun, style, icon and picture of every sprite, in the order of the sheet; recoloured ones after the original."""
    vectors = {
        style: json.loads((folder / PACKAGES[style] / "package" / "icons.json").read_text())
        for style in ("noto", "flat")
    }
    for noun, icons in ICONS.items():
        for icon in icons:
            for style in PACKAGES:
                if style == "3d":
                    file = folder / PACKAGES[style] / "package" / "assets" / f"{icon.code}.webp"
                    picture = cropped(Image.open(file).convert("RGBA"))
                else:
                    picture = cropped(vector_picture(vectors[style], icon.name))
                yield noun, style, icon, picture
                for colour, degrees in icon.hues:
                    yield noun, style, Icon(icon.code, icon.name, icon.view, colour), turned(picture, degrees)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    found = list(pictures(parser.parse_args().folder))
    rows = -(-len(found) // _COLUMNS)
    sheet, listed = Image.new("RGBA", (_COLUMNS * SIDE, rows * SIDE)), []
    for number, (noun, style, icon, picture) in enumerate(found):
        left, top = number % _COLUMNS * SIDE, number // _COLUMNS * SIDE
        sheet.paste(picture, (left, top))
        box = [left, top, *picture.size]
        listed.append({"noun": noun, "style": style, "view": icon.view, "colour": icon.colour, "box": box})
    sheet.save(SHEET, lossless=True, quality=100, method=6)
    LIST.write_text("[\n" + ",\n".join(json.dumps(entry) for entry in listed) + "\n]\n")
    print(f"{len(found)} sprites, {SHEET.stat().st_size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
