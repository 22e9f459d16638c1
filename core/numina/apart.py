"""Parts a region in two where self-attention says that it is two things."""

from __future__ import annotations

import torch
from torch import Tensor

from .settings import ThingSettings


def part_by_attention(region: Tensor, strength: Tensor, features: Tensor, settings: ThingSettings) -> list[Tensor]:
    """Cut a region along the main direction of its self-attention, as often as its parts are alike only within themselves.

    Args:
        region: (n,) cell indices into h * w.
        strength: (h, w) the noun's map; the weak cells at a region's rim have a share in nothing that is decided.
        features: (h, w, c) vectors of length 1, from `thing_features`.

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
    found = [part for half in halves for part in part_by_attention(half, strength, features, settings)]
    return sorted(found, key=lambda part: int(part[0]))


def _likeness(vectors: Tensor) -> float:
    """Mean product of two different ones of (n, c) vectors of length 1."""
    number = len(vectors)
    return float(vectors.sum(0).square().sum() - number) / (number * (number - 1))


def _places(cells: Tensor, width: int) -> Tensor:
    return torch.stack([cells // width, cells % width], dim=1).double()
