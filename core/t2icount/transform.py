"""From an annotated picture to one training window: enlarged, cropped, summed into cells, mirrored.

As the published training code does it; what it draws at random is a `Decisions` here.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from einops import reduce
from numpy.typing import NDArray
from PIL import Image
from torch import Tensor
from torch.nn import functional

from ..errors import CountError

_MOST_ENLARGED = 2.0


@dataclass(frozen=True)
class Annotated:
    """A picture with what one noun counts in it.

    Attributes:
        picture: (H, W, 3) uint8.
        noun: what is counted.
        density: (H, W) float32, sums to the count.
        region: (H, W) float32, 1 where the model's attention to the noun is believed, 0 where the noun is not shown.
    """

    picture: NDArray[np.uint8]
    noun: str
    density: Tensor
    region: Tensor


@dataclass(frozen=True)
class Window:
    """One training window of g x g cells.

    Attributes:
        picture: (3, S, S) uint8.
        noun: what is counted.
        density: (1, g, g) objects per cell.
        region: (1, g, g).
    """

    picture: Tensor
    noun: str
    density: Tensor
    region: Tensor


@dataclass(frozen=True)
class Decisions:
    """What is left to chance: how far to enlarge (None: not at all), the crop's corner in pixels, whether to mirror."""

    enlarge: float | None
    top: int
    left: int
    mirror: bool


def draw_decisions(rng: random.Random, height: int, width: int, window: int) -> Decisions:
    """Enlarged by 1 to 2 half of the time, mirrored half of the time, cropped anywhere.

    Raises:
        CountError: the picture is smaller than a window.
    """
    if min(height, width) < window:
        raise CountError(f"a picture of {width} x {height} pixels is smaller than the window of {window} x {window}")
    enlarge = rng.uniform(1.0, _MOST_ENLARGED) if rng.random() < 0.5 else None
    height, width = _enlarged_size(height, width, enlarge)
    top, left = rng.randint(0, height - window), rng.randint(0, width - window)
    return Decisions(enlarge, top, left, rng.random() < 0.5)


def cut_window(sample: Annotated, decisions: Decisions, window: int, cell: int) -> Window:
    """Apply `decisions`.

    Args:
        window: side of the crop, pixels.
        cell: side of a density cell, pixels; divides `window`.
    """
    picture, density, region = sample.picture, sample.density, sample.region
    if decisions.enlarge is not None:
        height, width = _enlarged_size(*density.shape, decisions.enlarge)
        resized = Image.fromarray(picture).resize((width, height), Image.Resampling.BICUBIC)
        picture = np.asarray(resized, dtype=np.uint8)
        density = _resized(density, (height, width), "bicubic") / decisions.enlarge**2
        region = _resized(region, (height, width), "nearest")
    rows = slice(decisions.top, decisions.top + window)
    columns = slice(decisions.left, decisions.left + window)
    pixels = torch.from_numpy(np.ascontiguousarray(picture[rows, columns])).permute(2, 0, 1)
    cells = reduce(density[rows, columns], "(h a) (w b) -> 1 h w", "sum", a=cell, b=cell)
    believed = region[rows, columns][::cell, ::cell].unsqueeze(0)
    parts = [pixels, cells, believed]
    if decisions.mirror:
        parts = [part.flip(-1) for part in parts]
    return Window(parts[0].contiguous(), sample.noun, parts[1].contiguous(), parts[2].contiguous())


def _enlarged_size(height: int, width: int, enlarge: float | None) -> tuple[int, int]:
    return (height, width) if enlarge is None else (int(height * enlarge), int(width * enlarge))


def _resized(plane: Tensor, size: tuple[int, int], mode: str) -> Tensor:
    return functional.interpolate(plane[None, None], size=size, mode=mode)[0, 0]
