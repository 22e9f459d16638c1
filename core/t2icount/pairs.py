"""Which picture and noun a training step sees: as annotated, with another picture's noun, or in a mosaic of four.

As the published training code does it: half, a quarter and a quarter of the samples. The last two teach the network that
what the noun does not name counts for nothing.
"""

from __future__ import annotations

import random
from dataclasses import replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from .config import CounterConfig
from .transform import Annotated, Window, cut_window, draw_decisions

_AS_ANNOTATED, _OTHER_NOUN = 0.5, 0.75
_MOSAIC_SHARE = 224 / 384


class CountingSet(Protocol):
    """Annotated pictures, on disk or in memory."""

    def __len__(self) -> int:
        """How many pictures there are."""

    def sample(self, index: int) -> Annotated:
        """The picture, at least a window big, with one noun; its region is 1 everywhere."""

    def noun(self, index: int) -> str:
        """The noun of `sample(index)`, without reading the picture."""


def training_window(pictures: CountingSet, index: int, rng: random.Random, config: CounterConfig) -> Window:
    """One training window made of picture `index`; every choice comes from `rng`."""
    chance = rng.random()
    if chance < _AS_ANNOTATED:
        sample = pictures.sample(index)
    elif chance < _OTHER_NOUN:
        sample = _with_noun(pictures.sample(index), pictures.noun(rng.randrange(len(pictures))))
    else:
        sample = _mosaic(pictures, index, rng, config)
    decisions = draw_decisions(rng, *sample.density.shape, config.window)
    return cut_window(sample, decisions, config.window, config.cell)


def _with_noun(sample: Annotated, noun: str) -> Annotated:
    if noun == sample.noun:
        return sample
    nothing = torch.zeros_like(sample.density)
    return replace(sample, noun=noun, density=nothing, region=nothing)


def _mosaic(pictures: CountingSet, index: int, rng: random.Random, config: CounterConfig) -> Annotated:
    """Four crops in a square, at shuffled places; the first picture's noun is asked."""
    side = round(config.window * _MOSAIC_SHARE / config.cell) * config.cell
    indices = [index, *(rng.randrange(len(pictures)) for _ in range(3))]
    noun = pictures.noun(index)
    crops = [_crop(_with_noun(pictures.sample(i), noun), side, rng) for i in indices]
    rng.shuffle(crops)
    picture = _in_square([torch.from_numpy(crop.picture) for crop in crops]).numpy()
    density, region = (_in_square([getattr(crop, name) for crop in crops]) for name in ("density", "region"))
    return Annotated(picture, noun, density, region)


def _crop(sample: Annotated, side: int, rng: random.Random) -> Annotated:
    height, width = sample.density.shape
    top, left = rng.randint(0, height - side), rng.randint(0, width - side)
    rows, columns = slice(top, top + side), slice(left, left + side)
    picture = np.ascontiguousarray(sample.picture[rows, columns])
    return replace(sample, picture=picture, density=sample.density[rows, columns], region=sample.region[rows, columns])


def _in_square(crops: list[Tensor]) -> Tensor:
    return torch.cat([torch.cat(crops[:2], 1), torch.cat(crops[2:], 1)], 0)
