"""Mean shift with a flat kernel, all seeds at once; the same clusters as scikit-learn's."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from torch import Tensor

SAMPLE = 1000  # points that the bandwidth is estimated from
MAX_ROUNDS = 300  # sklearn's, whose labels these are
STILL = 1e-3  # a seed has arrived when it moves by less than this share of the bandwidth


@torch.no_grad()
def estimate_bandwidth(points: Tensor, quantile: float) -> float:
    """Mean distance from a point to the neighbour that leaves `quantile` of the points nearer, itself counted.

    Args:
        points: (n, d) float64.
        quantile: 0 to 1.

    Returns:
        A distance, 0 when the points coincide. Of more than 1000 points, 1000 are taken, always the same.
    """
    sample = points[_sample(len(points)).to(points.device)]
    neighbour = max(1, int(len(sample) * quantile))
    nearest = torch.cdist(sample, sample).kthvalue(neighbour, dim=1).values
    return float(nearest.mean())


@lru_cache(maxsize=8)
def _sample(points: int) -> Tensor:
    """The indices that scikit-learn draws with random_state=0, so that the released code's bandwidth comes out."""
    return torch.from_numpy(np.random.RandomState(0).permutation(points)[:SAMPLE])


@torch.no_grad()
def mean_shift(points: Tensor, bandwidth: float) -> tuple[Tensor, int]:
    """Cluster points by the peaks of their density.

    Args:
        points: (n, d) float64.
        bandwidth: radius of the flat kernel, above 0.

    Returns:
        (n,) labels, 0 for the densest peak, and how many peaks there are. Some may own no point.
    """
    centres = _peaks(points, bandwidth)
    return torch.cdist(points, centres).argmin(1), len(centres)


def _peaks(points: Tensor, bandwidth: float) -> Tensor:
    """(c, d) places where the seeds come to rest, the densest first, none within a bandwidth of a denser one."""
    centres, inside = _climb(points, _seeds(points, bandwidth), bandwidth)
    near = torch.cdist(centres, centres) <= bandwidth
    rows = torch.cat([inside[:, None].to(centres), centres], dim=1).tolist()
    order = sorted((index for index, row in enumerate(rows) if row[0] > 0), key=rows.__getitem__, reverse=True)
    neighbours, kept = near.tolist(), list[int]()
    for index in order:
        if not any(neighbours[index][other] for other in kept):
            kept.append(index)
    return centres[kept]


def _seeds(points: Tensor, bandwidth: float) -> Tensor:
    """One seed in each filled cell of a lattice as wide as the bandwidth; the points themselves where none shares one."""
    cells = torch.unique(torch.round(points / bandwidth), dim=0)
    return points.clone() if len(cells) == len(points) else cells * bandwidth


def _climb(points: Tensor, seeds: Tensor, bandwidth: float) -> tuple[Tensor, Tensor]:
    """Move each seed to the mean of the points around it until it rests: where it ends, and how many points were around.

    A seed with no point around it stays, with 0.
    """
    moving = torch.ones(len(seeds), dtype=torch.bool, device=points.device)
    inside = torch.zeros(len(seeds), dtype=torch.int64, device=points.device)
    for _ in range(MAX_ROUNDS + 1):
        near = torch.cdist(seeds, points) <= bandwidth
        number = near.sum(1)
        means = near.to(points) @ points / number.clamp_min(1)[:, None]
        inside = torch.where(moving, number, inside)
        moving = moving & (number > 0)
        moved = torch.where(moving[:, None], means, seeds)
        moving = moving & ((moved - seeds).norm(dim=1) > STILL * bandwidth)
        seeds = moved
        if not moving.any():
            break
    return seeds, inside
