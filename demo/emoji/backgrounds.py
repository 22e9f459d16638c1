"""Backgrounds of the Emoji scenes, from plain to busy. None shows anything that could be counted."""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Pixels = NDArray[np.float64]  # (size, size, 3), about 0..255
_GROUNDS = ((112, 164, 84), (206, 186, 138), (150, 118, 92), (176, 178, 184), (226, 230, 236), (92, 126, 88))


def _colour(numbers: np.random.Generator, low: int = 110, high: int = 250) -> Pixels:
    """A muted colour: a grey of any lightness between the bounds, tinted by up to 45."""
    return np.clip(numbers.integers(low, high) + numbers.integers(-45, 46, 3), 20, 253).astype(float)


def _clouds(numbers: np.random.Generator, size: int, cells: int) -> Pixels:
    """(size, size, 1) smooth noise of about unit strength, with so many blobs to a side."""
    coarse = Image.fromarray(numbers.normal(0, 1, (cells + 1, cells + 1)).astype(np.float32))
    return np.asarray(coarse.resize((size, size), Image.Resampling.BICUBIC), dtype=float)[..., None]


def _plain(numbers: np.random.Generator, size: int) -> Pixels:
    return np.ones((size, size, 1)) * _colour(numbers)


def _gradient(numbers: np.random.Generator, size: int) -> Pixels:
    down, right = np.linspace(0, 1, size)[:, None, None], np.linspace(0, 1, size)[None, :, None]
    slant = numbers.uniform(0, 1)
    share = slant * down + (1 - slant) * right
    return (1 - share) * _colour(numbers) + share * _colour(numbers)


def _outdoors(numbers: np.random.Generator, size: int) -> Pixels:
    """Sky that grows lighter down to the horizon, and ground in patches."""
    horizon = int(numbers.integers(size // 5, size * 3 // 4))
    sky = np.array([130, 184, 236]) + numbers.integers(-30, 20, 3)
    ground = np.array(_GROUNDS[numbers.integers(len(_GROUNDS))]) + numbers.integers(-18, 19, 3)
    pixels = np.ones((size, size, 1)) * ground + _clouds(numbers, size, 9) * numbers.uniform(0, 12)
    pixels[:horizon] = sky + np.linspace(0, numbers.uniform(0, 50), horizon)[:, None, None]
    return pixels


def _stripes(numbers: np.random.Generator, size: int) -> Pixels:
    across, along = np.arange(size)[:, None], np.arange(size)[None, :]
    direction = (across + 0 * along, along + 0 * across, across + along)[numbers.integers(3)]
    striped = (direction // numbers.integers(7, 28) % 2)[..., None]
    colour = _colour(numbers)
    return colour + striped * numbers.integers(-34, 35, 3)


def _checks(numbers: np.random.Generator, size: int) -> Pixels:
    side, place = numbers.integers(9, 26), np.arange(size)
    checked = ((place[:, None] // side + place[None, :] // side) % 2)[..., None]
    return _colour(numbers) + checked * numbers.integers(-34, 35, 3)


def _mottled(numbers: np.random.Generator, size: int) -> Pixels:
    """Two colours in patches of several sizes, like stone or leaves."""
    rough = _clouds(numbers, size, 4) + 0.6 * _clouds(numbers, size, 11) + 0.4 * _clouds(numbers, size, 26)
    share = np.clip(0.5 + 0.4 * rough, 0, 1)
    first = _colour(numbers)
    return first + share * np.clip(_colour(numbers) - first, -70, 70)


def _patchwork(numbers: np.random.Generator, size: int) -> Pixels:
    """Rectangles of near colours, turned into a wall by darker joints."""
    rows, columns = (int(number) for number in numbers.integers(4, 10, 2))
    tiles = _colour(numbers) + numbers.integers(-26, 27, (rows, columns, 3))
    down, right = np.arange(size) * rows / size, np.arange(size) * columns / size
    pixels = tiles[down.astype(int)][:, right.astype(int)].astype(float)
    joint = (down % 1 < 0.07 * rows / 8)[:, None] | (right % 1 < 0.07 * columns / 8)[None, :]
    return pixels - 22 * joint[..., None]


# What a prompt may call each, with how often it is drawn.
KINDS: dict[str, tuple[Callable[[np.random.Generator, int], Pixels], int]] = {
    "plain": (_plain, 22),
    "smooth": (_gradient, 16),
    "outdoors": (_outdoors, 26),
    "striped": (_stripes, 9),
    "checked": (_checks, 9),
    "mottled": (_mottled, 10),
    "tiled": (_patchwork, 8),
}


def random_background(rng: random.Random, size: int) -> tuple[str, NDArray[np.uint8]]:
    """A kind of `KINDS` and a (size, size, 3) picture of it, most with some unevenness over it."""
    kind = rng.choices(tuple(KINDS), weights=[weight for _, weight in KINDS.values()])[0]
    numbers = np.random.default_rng(rng.getrandbits(64))
    pixels = KINDS[kind][0](numbers, size) + _clouds(numbers, size, 8) * numbers.uniform(0, 6)
    return kind, np.clip(pixels, 0, 255).astype(np.uint8)
