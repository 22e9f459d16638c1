"""Parts a noun's cells into things where its map dips between two peaks."""

from __future__ import annotations

import torch
from torch import Tensor


def part_at_dips(strength: Tensor, cells: Tensor, dip: float, least: int) -> list[Tensor]:
    """Flood the map from its peaks down; where two floods meet, they join unless there was a dip between them.

    Args:
        strength: (h, w) a noun's map, on the CPU.
        cells: (h, w) bool, the cells that show it.
        dip: floods stay apart when they meet below this share of the lower peak.
        least: floods of fewer cells join at any rate, and are dropped where they meet nobody.

    Returns:
        Cell indices into h * w of each thing, in raster order of their first cells.
    """
    width, height_of = cells.shape[1], strength.flatten().tolist()
    owner: dict[int, int] = {}
    floods: dict[int, list[int]] = {}
    for cell in _highest_first(strength, cells):
        column = cell % width
        beside = [
            cell - width,
            cell + width,
            *([cell - 1] if column else []),
            *([cell + 1] if column < width - 1 else []),
        ]
        met = sorted({owner[one] for one in beside if one in owner}, key=lambda peak: (-height_of[peak], peak))
        first = met[0] if met else cell
        for other in met[1:]:
            if height_of[cell] > dip * height_of[other] or min(len(floods[first]), len(floods[other])) < least:
                floods[first] += floods.pop(other)
                owner.update(dict.fromkeys(floods[first], first))
        floods.setdefault(first, []).append(cell)
        owner[cell] = first
    found = sorted(sorted(flood) for flood in floods.values() if len(flood) >= least)
    return [torch.tensor(flood) for flood in found]


def _highest_first(strength: Tensor, cells: Tensor) -> list[int]:
    inside = cells.flatten().nonzero().flatten()
    order: list[int] = inside[strength.flatten()[inside].argsort(descending=True, stable=True)].tolist()
    return order
