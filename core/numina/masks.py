"""Shapes of cells in a frame: discs, cut-outs, the smallest instance, centres and distances."""

from __future__ import annotations

import torch
from torch import Tensor

from ..attention import Grid

Centre = tuple[int, int]


def disc(reach: float) -> Tensor:
    """(2 * r + 1, 2 * r + 1) mask of the cells within `reach` of the middle one, r = reach rounded down."""
    side = torch.arange(-int(reach), int(reach) + 1)
    return side[:, None].square() + side.square() <= reach * reach


def cut_out(mask: Tensor) -> Tensor:
    """A (h, w) mask cut to the bounding box of its cells."""
    rows, columns = (mask.any(axis).nonzero().flatten() for axis in (1, 0))
    return mask[int(rows[0]) : int(rows[-1]) + 1, int(columns[0]) : int(columns[-1]) + 1]


def smallest(layout: Tensor, most: int | None = None) -> int | None:
    """Number of the smallest instance of a (h, w) layout, the lowest number on ties; None where there is none.

    Args:
        most: highest number that counts, None for any.
    """
    numbers, areas = layout[layout > 0].unique(return_counts=True)
    if most is not None:
        numbers, areas = numbers[numbers <= most], areas[numbers <= most]
    # argmin does not promise the first of equal ones; a stable sort does.
    return int(numbers[areas.argsort(stable=True)[0]]) if len(numbers) else None


def centre_of_mass(taken: Tensor, grid: Grid) -> tuple[float, float]:
    """Centre of mass of the taken cells as row and column, the frame's middle where none is."""
    cells = taken.nonzero().double()
    if len(cells) == 0:
        return grid[0] / 2, grid[1] / 2
    row, column = cells.mean(0).tolist()
    return row, column


def squared_distances(rows: Tensor, columns: Tensor, centre: tuple[float, float]) -> Tensor:
    """(rows, columns) squared distances to a centre."""
    return (rows - centre[0]).square()[:, None] + (columns - centre[1]).square()
