"""Where a thing that is added goes: free of everything else in every frame."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import adaptive_max_pool2d, conv2d, max_pool2d

from ..masks import Centre, squared_distances

MIN_SIDE = 2  # cells to which a copy may shrink
CROWDED = 1e6  # cost of a cell of overlap: no distance in a frame makes up for it


def place_free(template: Tensor, taken: Tensor) -> Tensor:
    """Cells of a copy of the template, at the same place in all frames.

    It keeps as far away from what is taken as it can, up to a quarter of the frame, and of such places takes the one nearest
    to the frame's middle. It is made smaller, down to half, where it finds no place with a cell around it. Where it never
    does, it lies where it overlaps least, and leaves what is taken alone.

    Args:
        template: (a, b) bool.
        taken: (F, h, w) bool, cells of all things.

    Returns:
        (F, h, w) bool.
    """
    grid = (taken.shape[1], taken.shape[2])
    anchor = (grid[0] / 2, grid[1] / 2)
    gaps = range(min(grid) // 4, 0, -1)
    template = _shrunk(template, min(1.0, *(side / size for side, size in zip(grid, template.shape, strict=True))))
    shapes = [_shrunk(template, share) for share in (1.0, 0.85, 0.7, 0.5)]
    wide = [(template, max_pool2d(taken.float(), 2 * gap + 1, stride=1, padding=gap)) for gap in gaps]
    narrow = [(shape, blocked) for blocked in (wide[-1][1], taken.float()) for shape in shapes]
    tries = [(shape, *_best(shape, blocked.sum(0), anchor)) for shape, blocked in (*wide, *narrow)]
    free = [(shape, centre) for shape, overlap, centre in tries if overlap == 0]
    shape, centre = free[0] if free else (tries[-len(shapes)][0], tries[-len(shapes)][2])
    layer = torch.zeros(grid, dtype=torch.bool)
    top, left = centre[0] - shape.shape[0] // 2, centre[1] - shape.shape[1] // 2
    layer[top : top + shape.shape[0], left : left + shape.shape[1]] = shape
    return layer & ~taken


def _best(shape: Tensor, blocked: Tensor, anchor: tuple[float, float]) -> tuple[float, Centre]:
    """The least overlap with (h, w) blocked cells, and the centre with it that is nearest to the anchor."""
    overlap = conv2d(blocked[None, None].double(), shape[None, None].double())[0, 0].round()
    rows, columns = (
        torch.arange(count, dtype=torch.float64) + side // 2
        for count, side in zip(overlap.shape, shape.shape, strict=True)
    )
    cost = CROWDED * overlap + squared_distances(rows, columns, anchor)
    row, column = divmod(int(cost.flatten().argsort(stable=True)[0]), cost.shape[1])
    return float(overlap[row, column]), (row + shape.shape[0] // 2, column + shape.shape[1] // 2)


def _shrunk(template: Tensor, share: float) -> Tensor:
    """The template with its sides at `share` of what they were, at least 2 cells or what they were."""
    sides = [max(min(MIN_SIDE, side), int(side * share)) for side in template.shape]
    return (
        adaptive_max_pool2d(template[None, None].float(), sides)[0, 0] > 0
    )  # nearest cells of a cross can all be empty
