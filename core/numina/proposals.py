"""Instance proposals: which cells of a frame the self-attention holds together, whatever they show."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention.calls import Grid
from .head_scores import stretched
from .mean_shift import estimate_bandwidth, mean_shift
from .settings import ClusterSettings

LEAST_BANDWIDTH = 0.5  # of points that coincide


@dataclass(frozen=True)
class Proposals:
    """Regions that cover a frame.

    Attributes:
        labels: (h, w) int64, 0 to number - 1.
        number: of regions, some of which may be empty.
    """

    labels: Tensor
    number: int


def clusters(components: Tensor, grid: Grid, settings: ClusterSettings) -> Proposals:
    """Mean-shift clusters of a head's components and of the cells' places (NUMINA, section 3.2).

    Args:
        components: (P, 3) of one head and frame.
        grid: (h, w), P = h * w.
    """
    points = torch.cat([stretched(components.double()), settings.place_weight * places(grid, components.device)], dim=1)
    bandwidth = estimate_bandwidth(points, settings.quantile)
    labels, number = mean_shift(points, bandwidth if bandwidth > 0 else LEAST_BANDWIDTH)
    return Proposals(labels.reshape(grid), number)


def places(grid: Grid, device: torch.device) -> Tensor:
    """(P, 2) float64 rows and columns of the cells, each 0 to 1 over the frame."""
    sides = [torch.linspace(0, 1, side, dtype=torch.float64, device=device) for side in grid]
    return torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1).flatten(0, 1)
