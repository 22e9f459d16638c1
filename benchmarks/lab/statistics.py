"""Means with their 95 % bootstrap intervals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
from scipy.stats import bootstrap

Statistic = Callable[..., np.ndarray]
"""Takes values and `axis`, as np.mean does."""


@dataclass(frozen=True)
class Mean:
    """A mean, its 95 % bootstrap interval (None for a single value), and of how many values."""

    mean: float
    interval: tuple[float, float] | None
    count: int


def mean_of(values: Sequence[float] | np.ndarray) -> Mean | None:
    """The mean of independent values; None where there are none."""
    if not len(values):
        return None
    return Mean(float(np.mean(values)), interval(values) if len(values) > 1 else None, len(values))


def interval(values: ArrayLike, statistic: Statistic = np.mean) -> tuple[float, float]:
    """95 % bootstrap interval (percentiles, 10,000 draws, seed 0) of a statistic of independent values.

    Of a single value, that value's statistic twice.
    """
    values = np.asarray(values, float)
    if len(values) == 1:
        return (float(statistic(values, axis=-1)),) * 2
    drawn = bootstrap((values,), statistic, n_resamples=10_000, method="percentile", rng=np.random.default_rng(0))
    return float(drawn.confidence_interval.low), float(drawn.confidence_interval.high)


def root_mean_square(values: np.ndarray, axis: int = -1) -> np.ndarray:
    """Over one axis."""
    return np.sqrt(np.square(values).mean(axis))
