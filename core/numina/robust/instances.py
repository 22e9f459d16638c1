"""The instances in a frame: where a noun's map or self-attention parts its cells."""

from __future__ import annotations

import torch
from torch import Tensor

from ..settings import RobustSettings


def split_at_dips(strength: Tensor, cells: Tensor, dip: float, least: int) -> list[Tensor]:
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
    regions = sorted(sorted(flood) for flood in floods.values() if len(flood) >= least)
    return [torch.tensor(flood) for flood in regions]


def _highest_first(strength: Tensor, cells: Tensor) -> list[int]:
    inside = cells.flatten().nonzero().flatten()
    order: list[int] = inside[strength.flatten()[inside].argsort(descending=True, stable=True)].tolist()
    return order


def split_by_attention(region: Tensor, strength: Tensor, features: Tensor, settings: RobustSettings) -> list[Tensor]:
    """Cut a region along the main direction of its self-attention, as often as its parts are alike only within themselves.

    Args:
        region: (n,) cell indices into h * w.
        strength: (h, w) the noun's map; the weak cells at a region's rim have a share in nothing that is decided.
        features: (h, w, c) vectors of length 1, from `instance_features`.

    Returns:
        The parts, the region itself where it is one thing.
    """
    values = strength.flatten()[region]
    core = region[values >= settings.core * values.max()]
    if len(core) < 2 * settings.least_cells:
        return [region]
    vectors = features.flatten(0, 1)[core]
    directions = torch.linalg.svd(vectors - vectors.mean(0), full_matrices=False).U
    side = directions[:, 0] > 0
    parts = vectors[side], vectors[~side]
    if min(map(len, parts)) < settings.least_cells:
        return [region]
    between = float((parts[0] @ parts[1].T).mean())
    if min(map(_likeness, parts)) - between < settings.apart:
        return [region]
    nearest = torch.cdist(_places(region, strength.shape[1]), _places(core, strength.shape[1])).argmin(1)
    belongs = side[nearest]
    halves = [half for half in (region[belongs], region[~belongs])]
    found = [part for half in halves for part in split_by_attention(half, strength, features, settings)]
    return sorted(found, key=lambda part: int(part[0]))


def _likeness(vectors: Tensor) -> float:
    """Mean product of two different ones of (n, c) vectors of length 1."""
    number = len(vectors)
    return float(vectors.sum(0).square().sum() - number) / (number * (number - 1))


def _places(cells: Tensor, width: int) -> Tensor:
    return torch.stack([cells // width, cells % width], dim=1).double()
