"""Which noun a training picture is shown with: its own, another picture's, or its own in a mosaic of four pictures.

The share of each is that of the published training. Every example hangs on (seed, epoch, index) alone, so a run that was
interrupted draws what it would have drawn.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from ..errors import CountError
from .config import CounterConfig
from .transform import Example, Labelled, augmented, cropped, draw_choices, enlarged

# All of the published training; what is left of the shares are mosaics.
_OWN_SHARE, _OTHER_SHARE = 0.5, 0.25
_MOSAIC_PICTURES = 4
_MOSAIC_CROP = 224 / 384  # of the window


class CountingSet(Protocol):
    """Pictures with the places of one kind of thing in each."""

    def __len__(self) -> int: ...

    def sample(self, index: int) -> tuple[np.ndarray | Tensor, str, np.ndarray | Tensor]:
        """Picture (H, W, 3) uint8, noun, density (H, W) of floats that sums to the number of things."""
        ...


@dataclass(frozen=True)
class Examples:
    """Training examples out of a counting set.

    Attributes:
        pictures: the counting set.
        config: of the network that is trained.
        seed: of every choice.
    """

    pictures: CountingSet
    config: CounterConfig
    seed: int

    def __len__(self) -> int:
        return len(self.pictures)

    def order(self, epoch: int) -> list[int]:
        """Every index once, shuffled for this epoch."""
        indices = list(range(len(self)))
        random.Random(f"{self.seed} {epoch}").shuffle(indices)
        return indices

    def example(self, epoch: int, index: int) -> Example:
        """The example that picture `index` becomes in this epoch."""
        chance = random.Random(f"{self.seed} {epoch} {index}")
        labelled = self._labelled(index, chance)
        height, width = labelled.density.shape
        return augmented(labelled, draw_choices(height, width, self.config.window, chance), self.config)

    def _labelled(self, index: int, chance: random.Random) -> Labelled:
        kind, own = chance.random(), read_labelled(self.pictures, index)
        if kind < _OWN_SHARE:
            return own
        if kind < _OWN_SHARE + _OTHER_SHARE:
            return asked_for(own, self.pictures.sample(self._any(chance))[1])
        others = [read_labelled(self.pictures, self._any(chance)) for _ in range(_MOSAIC_PICTURES - 1)]
        return mosaic([own, *others], mosaic_crop(self.config), chance)

    def _any(self, chance: random.Random) -> int:
        return chance.randrange(len(self))


def read_labelled(pictures: CountingSet, index: int) -> Labelled:
    """One picture of a set with its own noun.

    Raises:
        CountError: picture or density have another shape or type than they should.
    """
    picture, noun, density = pictures.sample(index)
    pixels, places = torch.as_tensor(picture), torch.as_tensor(density)
    if pixels.dtype != torch.uint8 or pixels.ndim != 3 or pixels.shape[2] != 3 or places.shape != pixels.shape[:2]:
        raise CountError(
            f"image {index} of the training set is {tuple(pixels.shape)} {pixels.dtype} with a density of "
            f"{tuple(places.shape)}; expected (height, width, 3) torch.uint8 and (height, width)"
        )
    return Labelled(pixels, places.float(), torch.ones(places.shape), noun)


def asked_for(labelled: Labelled, noun: str) -> Labelled:
    """The same picture with a noun that may be another: then there is nothing of it, anywhere.

    That the picture might show the other noun all the same is not looked at, as in the published training.
    """
    if noun == labelled.noun:
        return labelled
    nothing = torch.zeros_like(labelled.density)
    return Labelled(labelled.picture, nothing, nothing, noun)


def mosaic_crop(config: CounterConfig) -> int:
    """Side of a mosaic's quarters in pixels, whole cells; four of them are larger than the window."""
    return round(_MOSAIC_CROP * config.window / config.cell) * config.cell


def mosaic(pictures: Sequence[Labelled], crop: int, chance: random.Random) -> Labelled:
    """A random crop of each of four pictures, in a random order, under the first one's noun.

    Returns:
        (2 crop, 2 crop) picture; quarters of another noun have no density and a region of 0.
    """
    noun = pictures[0].noun
    quarters = []
    for labelled in pictures:
        height, width = labelled.density.shape
        if min(height, width) < crop:
            labelled = enlarged(labelled, crop / min(height, width), crop)
            height, width = labelled.density.shape
        window = cropped(labelled, chance.randint(0, height - crop), chance.randint(0, width - crop), crop)
        quarters.append(window if window.noun == noun else asked_for(window, noun))
    chance.shuffle(quarters)

    def joined(parts: list[Tensor]) -> Tensor:
        return torch.cat([torch.cat(parts[:2], 1), torch.cat(parts[2:], 1)], 0)

    return Labelled(
        joined([quarter.picture for quarter in quarters]),
        joined([quarter.density for quarter in quarters]),
        joined([quarter.region for quarter in quarters]),
        noun,
    )
