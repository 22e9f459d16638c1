"""Pictures with a true count: what a network is validated and evaluated on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from .files import read_picture


@dataclass(frozen=True)
class CountedPicture:
    """One picture of a test set.

    Attributes:
        name: in the report.
        noun: what is counted.
        count: the truth.
        read: gives the picture, (H, W, 3) uint8.
    """

    name: str
    noun: str
    count: float
    read: Callable[[], np.ndarray]


def picture_file(path: Path, noun: str, count: float) -> CountedPicture:
    """A picture that is read when it is needed."""
    return CountedPicture(path.name, noun, count, partial(read_picture, path))
