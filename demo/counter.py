"""Counts the shapes in a picture of a Shapes scene exactly: connected components, split where shapes touch, classified.

Works on drawn and on generated pictures. `python -m demo.counter` prints its error rate on drawn scenes.
"""

from __future__ import annotations

import argparse
import random
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw
from scipy import ndimage

from .scenes import SIZE, random_scene
from .shapes import COLOURS, NOUNS, draw_shape

Mask = NDArray[np.bool_]
Box = tuple[int, int, int, int]

_TEMPLATE = 32
_MIN_SIDE = 9  # pixels at SIZE; the smallest drawn shape is 14 pixels wide
_MIN_AREA = 40
_MIN_HOLE = 20
_MAX_SIDE = 37  # the largest drawn shape is 34 pixels wide
_GOOD_FIT = 0.80
_TURNS = (-16, -8, 0, 8, 16)  # degrees
_LOOKS = (
    (0.0, 0.5),
    (8.0, 0.5),
    (8.0, 0.3),
    (14.0, 0.4),
    (14.0, 0.25),
)  # blur in pixels of 160, and what is inside then
_FOREGROUND = 58.0  # RGB distance from the background
_EVERY_NEIGHBOUR = np.ones((3, 3), bool)


@dataclass(frozen=True)
class FoundShape:
    """A shape in a picture: noun, colour name, (left, top, right, bottom) in pixels, and its fit to the noun, 0 to 1."""

    noun: str
    colour: str
    box: Box
    fit: float


@cache
def templates() -> dict[str, NDArray[np.float32]]:
    """Each noun's outlines, as `stretched` gives them: (V, _TEMPLATE, _TEMPLATE).

    As they are drawn, and a little turned, with soft corners and swollen, as the model makes them: without these a generated
    star, with its arms swollen, is as near to a circle.
    """
    out = {}
    for noun in NOUNS:
        image = Image.new("L", (240, 240))
        draw_shape(ImageDraw.Draw(image), noun, (120, 120), 80, 255)
        turned = [np.asarray(image.rotate(angle, Image.Resampling.BILINEAR), np.float32) / 255 for angle in _TURNS]
        soft = [ndimage.gaussian_filter(one, blur) > level for one in turned for blur, level in _LOOKS]
        out[noun] = np.stack([stretched(mask) for mask in soft])
    return out


def drawn_outlines() -> list[NDArray[np.float32]]:
    """The outlines of all nouns as they are drawn: (_TEMPLATE, _TEMPLATE) each."""
    return [own[_TURNS.index(0) * len(_LOOKS)] for own in templates().values()]


def _box(mask: Mask) -> Box:
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def stretched(mask: Mask) -> NDArray[np.float32]:
    """What a mask holds, cut out and stretched to a square of `_TEMPLATE` pixels, 0 to 1."""
    left, top, right, bottom = _box(mask)
    crop = Image.fromarray((mask[top:bottom, left:right] * 255).astype(np.uint8))
    resized = crop.resize((_TEMPLATE, _TEMPLATE), Image.Resampling.BILINEAR)
    return np.asarray(resized, dtype=np.float32) / 255


def classify(mask: Mask) -> tuple[str, float]:
    """The noun whose outline overlaps `mask` best, and the overlap (intersection over union), 0 to 1."""
    seen = stretched(mask)
    fits = {
        noun: float((np.minimum(seen, own).sum((1, 2)) / np.maximum(seen, own).sum((1, 2))).max())
        for noun, own in templates().items()
    }
    noun = max(fits, key=lambda name: fits[name])
    return noun, fits[noun]


def _components(mask: Mask, connect: Mask | None = None) -> list[Mask]:
    labels, count = ndimage.label(mask, structure=connect)
    return [labels == label for label in range(1, count + 1)]


def _is_shape(mask: Mask) -> bool:
    left, top, right, bottom = _box(mask)
    return bool(mask.sum() >= _MIN_AREA and min(right - left, bottom - top) >= _MIN_SIDE)


def _holes(mask: Mask) -> Mask:
    holes = ndimage.binary_fill_holes(mask) & ~mask
    return np.any([hole for hole in _components(holes) if hole.sum() >= _MIN_HOLE] or [np.zeros_like(mask)], axis=0)


def _nearest_seed(mask: Mask, seeds: list[Mask]) -> list[Mask]:
    distances = np.stack([ndimage.distance_transform_edt(~seed) for seed in seeds])
    owner = distances.argmin(0)
    return [mask & (owner == index) for index in range(len(seeds))]


def _parts_by_erosion(solid: Mask) -> list[Mask]:
    """Cut a blob where it is thin: erode until it falls apart into pieces that are shapes, then grow those back."""
    eroded = solid
    for _ in range(8):
        eroded = ndimage.binary_erosion(eroded)
        seeds = [piece for piece in _components(eroded) if piece.sum() >= 6]
        if len(seeds) > 1:
            parts = [part for part in _nearest_seed(solid, seeds) if _is_shape(part)]
            return parts if len(parts) > 1 else []
    return []


def _split(mask: Mask) -> list[Mask]:
    """Separate shapes of one colour that touch; a mask that looks like one shape stays whole."""
    left, top, right, bottom = _box(mask)
    whole_fit = classify(mask)[1]
    small = max(right - left, bottom - top) <= _MAX_SIDE * mask.shape[0] / SIZE
    if small and whole_fit >= _GOOD_FIT:
        return [mask]
    holes = _components(_holes(mask))
    if len(holes) > 1:
        parts = _nearest_seed(mask, holes)
    else:
        parts = [part & mask for part in _parts_by_erosion(mask | _holes(mask))]
    parts = [part for part in parts if part.any() and _is_shape(part)]
    if len(parts) < 2:
        return [mask]
    fits = [classify(part)[1] for part in parts]
    if small and np.mean(fits) <= whole_fit:
        return [mask]
    return [piece for part in parts for piece in _split(part)]


def _by_colour(pixels: NDArray[np.float32], background: NDArray[np.float32]) -> NDArray[np.int64]:
    """Index of the colour that each pixel mixes with the background, -1 for the background itself."""
    palette = np.array(list(COLOURS.values()), np.float32)
    towards = palette - background
    offset = pixels - background
    share = np.clip((offset[:, :, None] * towards).sum(-1) / (towards**2).sum(-1), 0, 1)
    error = np.square(offset[:, :, None] - share[..., None] * towards).sum(-1)
    return np.where(np.sqrt(np.square(offset).sum(-1)) > _FOREGROUND, error.argmin(-1), -1)


def _one_colour_pieces(piece: Mask, colour: NDArray[np.int64]) -> list[tuple[Mask, int]]:
    """Split a connected piece by colour. Slivers, such as blended edges, join the colour that surrounds them."""
    inner = ndimage.binary_erosion(piece)
    votes = Counter(colour[inner if inner.any() else piece].tolist())
    seeds, names = [], []
    for index in votes:
        for part in _components(piece & (colour == index), _EVERY_NEIGHBOUR):
            thick = ndimage.binary_opening(part, _EVERY_NEIGHBOUR)
            if thick.any() and _is_shape(part):
                seeds.append(part)
                names.append(index)
    if len(seeds) < 2:
        return [(piece, votes.most_common(1)[0][0])]
    return list(zip(_nearest_seed(piece, seeds), names, strict=True))


def find_shapes(picture: NDArray[np.uint8]) -> list[FoundShape]:
    """Every shape in a Shapes picture.

    Args:
        picture: (H, W, 3) uint8, about `SIZE` pixels wide.
    """
    pixels = picture.astype(np.float32)
    edge = np.concatenate([pixels[0], pixels[-1], pixels[:, 0], pixels[:, -1]])
    colour = _by_colour(pixels, np.median(edge, axis=0))
    names = tuple(COLOURS)
    found = []
    for piece in _components(colour >= 0, _EVERY_NEIGHBOUR):
        if piece.sum() < _MIN_AREA:
            continue
        for part, index in _one_colour_pieces(piece, colour):
            for mask in _split(part):
                if _is_shape(mask):
                    noun, fit = classify(mask)
                    found.append(FoundShape(noun, names[index], _box(mask), fit))
    return found


def count_shapes(picture: NDArray[np.uint8]) -> dict[str, int]:
    """How many shapes of each noun a (H, W, 3) uint8 picture shows; nouns that it does not show are absent."""
    return dict(Counter(shape.noun for shape in find_shapes(picture)))


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description="Error rate of the exact counter on drawn scenes.")
    parser.add_argument("--scenes", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=12345)
    parser.add_argument("--touching", action="store_true", help="let two shapes of each scene touch")
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    wrong = 0
    for _ in range(arguments.scenes):
        scene = random_scene(rng, touching=arguments.touching)
        wrong += count_shapes(scene.picture) != scene.counts()
    share = 100 * wrong / arguments.scenes
    print(f"{wrong} of {arguments.scenes} drawn scenes counted wrong ({share:.2f} %), touching={arguments.touching}")


if __name__ == "__main__":
    main()
