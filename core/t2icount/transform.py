"""A labelled picture becomes a training example: enlarged, cropped, its density gathered into cells, mirrored.

What chance decides is drawn first (`draw_choices`) and then carried out (`augmented`), so that each can be checked alone.
"""

from __future__ import annotations

import random
from dataclasses import dataclass

import numpy as np
import torch
from einops import rearrange, reduce
from PIL import Image
from torch import Tensor
from torch.nn import functional

from .config import CounterConfig

# Chances and range of `draw_choices`.
_ENLARGED_SHARE = 0.5
_LARGEST_FACTOR = 2.0
_MIRRORED_SHARE = 0.5


@dataclass(frozen=True)
class Labelled:
    """A picture and what there is of one noun in it.

    Attributes:
        picture: (H, W, 3) uint8.
        density: (H, W) float32, sums to the number of things.
        region: (H, W) float32, 1 where the network's attention may excuse a cell, 0 where the noun is known to be absent.
        noun: as the data set writes it.
    """

    picture: Tensor
    density: Tensor
    region: Tensor
    noun: str


@dataclass(frozen=True)
class Example:
    """What the network is trained with.

    Attributes:
        pixels: (3, w, w) float32, -1 to 1; w is `config.window`.
        density: (1, g, g) float32, `config.density_scale` times the objects in each cell.
        region: (1, g, g) float32, see `Labelled`.
        noun: as the data set writes it.
    """

    pixels: Tensor
    density: Tensor
    region: Tensor
    noun: str


@dataclass(frozen=True)
class Choices:
    """What chance decided for one example.

    Attributes:
        factor: the picture is enlarged by this; None leaves it as it is.
        top, left: first row and column of the window in the enlarged picture, pixels.
        is_mirrored: left and right change places.
    """

    factor: float | None
    top: int
    left: int
    is_mirrored: bool


def draw_choices(height: int, width: int, window: int, chance: random.Random) -> Choices:
    """Half of the pictures grow by up to 2, all are cropped, half are mirrored.

    A picture smaller than the window is enlarged until it fills it, whatever is drawn.
    """
    factor = chance.uniform(1.0, _LARGEST_FACTOR) if chance.random() < _ENLARGED_SHARE else 1.0
    factor = max(factor, window / min(height, width))
    drawn = factor if factor > 1 else None
    tall, wide = enlarged_size(height, width, drawn, window)
    top, left = chance.randint(0, tall - window), chance.randint(0, wide - window)
    return Choices(drawn, top, left, chance.random() < _MIRRORED_SHARE)


def enlarged_size(height: int, width: int, factor: float | None, smallest: int) -> tuple[int, int]:
    """Height and width after enlarging, rounded down as the published training does, but no side below `smallest`."""
    if factor is None:
        return height, width
    return max(smallest, int(height * factor)), max(smallest, int(width * factor))


def enlarged(labelled: Labelled, factor: float, smallest: int) -> Labelled:
    """Bicubic picture and density, the density divided by factor ** 2; the region's nearest pixels.

    The density's sum is kept up to the rounding of the size, about 0.3 %.
    """
    height, width = labelled.density.shape
    size = enlarged_size(height, width, factor, smallest)
    picture = Image.fromarray(labelled.picture.numpy()).resize(size[::-1], Image.Resampling.BICUBIC)
    density = functional.interpolate(labelled.density[None, None], size=size, mode="bicubic")[0, 0] / factor**2
    region = functional.interpolate(labelled.region[None, None], size=size, mode="nearest")[0, 0]
    return Labelled(torch.from_numpy(np.array(picture)), density, region, labelled.noun)


def cropped(labelled: Labelled, top: int, left: int, size: int) -> Labelled:
    """The square of `size` pixels that starts at (top, left)."""
    part = slice(top, top + size), slice(left, left + size)
    return Labelled(labelled.picture[part], labelled.density[part], labelled.region[part], labelled.noun)


def augmented(labelled: Labelled, choices: Choices, config: CounterConfig) -> Example:
    """Carry the choices out."""
    if choices.factor is not None:
        labelled = enlarged(labelled, choices.factor, config.window)
    window = cropped(labelled, choices.top, choices.left, config.window)
    pixels = rearrange(window.picture, "h w c -> c h w").float() / 127.5 - 1
    density = reduce(window.density, "(h a) (w b) -> 1 h w", "sum", a=config.cell, b=config.cell)
    region = window.region[None, :: config.cell, :: config.cell]

    def finished(part: Tensor) -> Tensor:
        return (part.flip(-1) if choices.is_mirrored else part).contiguous()

    return Example(finished(pixels), finished(density * config.density_scale), finished(region), labelled.noun)
