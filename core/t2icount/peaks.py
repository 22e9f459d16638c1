"""Points where the counted things are, read off a density map."""

from __future__ import annotations

from itertools import product

import numpy as np
from numpy.typing import NDArray
from torch import Tensor
from torch.nn import functional

from ..counting import Point

_REACH = 16  # cells; a thing's density is not looked for farther from its peak


def peaks(density: Tensor, number: int, cell: int) -> tuple[Point, ...]:
    """As many points as there are things, strongest first.

    Each point is the highest place that is left, and takes an equal share of the whole density away, from the nearest cells
    first. So a smear that stands for two things gets two points, unlike with a plain search for local maxima.

    Args:
        density: (H, W) objects per pixel, 0 or more.
        number: how many points are wanted; there are none where the density is 0 everywhere.
        cell: pixels along the side of the squares that are looked at.

    Returns:
        (x, y) in pixels, inside the picture.
    """
    height, width = density.shape
    cells = (
        functional.avg_pool2d(density[None, None].float(), cell, ceil_mode=True, divisor_override=1)[0, 0].cpu().numpy()
    )
    left = np.pad(cells.astype(np.float64), _REACH)
    if number < 1 or not left.sum() > 0:
        return ()
    share, tops = left.sum() / number, left.max(1)
    points = []
    for _ in range(number):
        row = int(tops.argmax())
        column = int(left[row].argmax())
        y, x = _middle(left, row, column)
        points.append((min(x * cell, width - 0.5), min(y * cell, height - 0.5)))
        _take(left, row, column, share)
        reached = slice(row - _REACH, row + _REACH + 1)
        tops[reached] = left[reached].max(1)
    return tuple(points)


def _nearest_first() -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Steps down and right to every cell within reach, the nearest first."""
    side = range(-_REACH, _REACH + 1)
    steps = sorted((y * y + x * x, y, x) for y, x in product(side, side) if y * y + x * x <= _REACH**2)
    _, down, right = zip(*steps, strict=True)
    return np.array(down), np.array(right)


_DOWN, _RIGHT = _nearest_first()


def _take(left: NDArray[np.float64], row: int, column: int, share: float) -> None:
    """Remove `share` of the density around a cell, or all that is in reach."""
    around = left[row + _DOWN, column + _RIGHT]
    taken_before = around.cumsum() - around
    left[row + _DOWN, column + _RIGHT] -= np.clip(share - taken_before, 0, around)


def _middle(left: NDArray[np.float64], row: int, column: int) -> tuple[float, float]:
    """(y, x) in cells of the picture: the centre of mass of a cell and its eight neighbours."""
    around = left[row - 1 : row + 2, column - 1 : column + 2]
    offsets = np.arange(-0.5, 2)  # from the middle of the first neighbour to that of the last, as seen from the cell
    y, x = around.sum(1) @ offsets / around.sum(), around.sum(0) @ offsets / around.sum()
    return float(row + y - _REACH), float(column + x - _REACH)
