"""Where each asked instance should be: the strongest separate places of the nouns' own attention, or an artist's boxes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention import Grid
from ..counting import NounBoxes

SPACING_OF_ONE = 0.6
"""Most that the spacing of N instances is, times sqrt(N), as a share of the shorter side: each has a square of 1 / sqrt(N)."""
DIAMETER_LEVEL = 0.4
"""Share of the peak, above the floor, to which a map falls at an object's rim."""
SPACING_OF_DIAMETER = 1.1
"""Spacing of two instances over the diameter that the maps give one: nearer, both could be on one object."""
FLOOR_QUANTILE = 0.25
"""Of a noun's map, what counts as no attention. With the median, a noun that fills half of the image has no floor."""
# All held by tests/core/test_isac_places.py: the place of a missing object falls on an existing one in at most 5 % of synthetic
# maps with objects of 14 to 45 % of the side. With 3/16, the default before, it does in 92 % from 30 % on; with the number's
# square alone it does not either, but a surplus object beside another is not seen.


@dataclass(frozen=True)
class Places:
    """Where the N asked instances of one picture are to be, on a grid of P cells.

    Attributes:
        nouns: (N,) index of each place's noun.
        pixels: (N,) its cell.
        near: (N, P) the cells that belong to it.
    """

    nouns: Tensor
    pixels: Tensor
    near: Tensor


def cell_distances(grid: Grid, device: torch.device) -> Tensor:
    """(P, P) Euclidean distances between the cells of a grid, in cells."""
    y, x = torch.meshgrid(torch.arange(grid[0], device=device), torch.arange(grid[1], device=device), indexing="ij")
    cells = torch.stack([y.flatten(), x.flatten()], dim=1).float()
    return torch.cdist(cells, cells)


def map_diameter(heat: Tensor, grid: Grid) -> Tensor:
    """(k,) diameter of the strongest object of each noun, in cells, at least 2, from (k, P) smoothed maps.

    Twice the radius of the ring around the peak whose mean falls to `DIAMETER_LEVEL`. A ring's mean is hardly changed by
    another object that touches, which the area at that level would take in.
    """
    peaks, pixels = heat.max(1)
    floors = heat.quantile(FLOOR_QUANTILE, dim=1)
    strength = (heat - floors[:, None]) / (peaks - floors).clamp_min(torch.finfo(heat.dtype).tiny)[:, None]
    rings = cell_distances(grid, heat.device)[pixels].round().long()
    radii = torch.arange(max(grid) + 1, device=heat.device)
    on_ring = (rings[:, None] == radii[:, None]).to(heat.dtype)  # (k, r, P)
    means = (on_ring * strength[:, None]).sum(2) / on_ring.sum(2).clamp_min(1)
    is_outside = (means < DIAMETER_LEVEL).to(torch.uint8)
    is_outside[:, 0], is_outside[:, -1] = 0, 1
    outer = is_outside.argmax(1, keepdim=True)
    inside, outside = means.gather(1, outer - 1), means.gather(1, outer)
    share = ((inside - DIAMETER_LEVEL) / (inside - outside).clamp_min(1e-6)).clamp(0, 1)
    return 2 * (outer - 1 + share).squeeze(1).clamp_min(1)


def map_spacing(heat: Tensor, grid: Grid, counts: Sequence[int]) -> float:
    """Least distance between two instances, as a share of the shorter side, from (k, P) smoothed maps of the nouns.

    `SPACING_OF_DIAMETER` times the mean diameter of the nouns' objects, up to what their number leaves room for.
    """
    diameter = float(map_diameter(heat, grid).mean()) / min(grid)
    return min(SPACING_OF_ONE / math.sqrt(sum(counts)), SPACING_OF_DIAMETER * diameter)


@torch.no_grad()
def pick_places(heat: Tensor, grid: Grid, counts: tuple[int, ...], spacing: float | None = None) -> Places:
    """Choose a place for every asked instance, the strongest first, none nearer to another than `spacing`.

    A noun's map is compared with the other nouns' maps, so that each place goes to the noun that owns it most.

    Args:
        heat: (k, P) attention to each noun, smoothed.
        grid: (h, w), P = h * w.
        counts: per noun, how many instances are asked for.
        spacing: least distance between two places, as a share of the grid's shorter side; None for `map_spacing`.

    Returns:
        `sum(counts)` places. Where no free one is left, the least bad one is taken.
    """
    relative = heat / heat.amax(1, keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    if len(heat) > 1:
        strongest = relative.topk(2, dim=0)
        others = torch.where(
            strongest.indices[0] == torch.arange(len(heat), device=heat.device)[:, None],
            strongest.values[1],
            strongest.values[0],
        )
        relative = relative - 0.5 * others
    share = map_spacing(heat, grid, counts) if spacing is None else spacing
    near = cell_distances(grid, heat.device) < share * min(grid)
    left, nouns, pixels = list(counts), [], []
    score = relative.clone()
    for _ in range(sum(counts)):
        open_nouns = torch.tensor([count > 0 for count in left], device=heat.device)
        best = int(torch.where(open_nouns[:, None], score, -torch.inf).argmax())
        noun, pixel = divmod(best, heat.shape[1])
        nouns.append(noun)
        pixels.append(pixel)
        left[noun] -= 1
        score = torch.where(near[pixel], score - 4.0, score)
    return Places(torch.tensor(nouns, device=heat.device), torch.tensor(pixels, device=heat.device), near[pixels])


def places_in_boxes(boxes: NounBoxes, grid: Grid, device: torch.device) -> Places:
    """The middles of an artist's boxes, and the cells in them.

    Args:
        boxes: per noun, one for each instance.
        grid: (h, w).
    """
    owned = [(noun, box) for noun, own in enumerate(boxes) for box in own]
    cells = [box.middle_cell(grid) for _, box in owned]
    return Places(
        torch.tensor([noun for noun, _ in owned], device=device),
        torch.tensor([row * grid[1] + column for row, column in cells], device=device),
        torch.stack([box.cells(grid).flatten() for _, box in owned]).to(device),
    )
