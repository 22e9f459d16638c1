"""Which clusters of cells are instances of a noun: those that self-attention holds together and the noun focuses on."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import conv2d

from ...attention import Grid
from ..masks import disc
from ..settings import PublishedSettings
from .heads import stretched
from .mean_shift import estimate_bandwidth, mean_shift

MIN_BANDWIDTH = 0.5  # of points that coincide


@dataclass(frozen=True)
class Proposals:
    """Regions that cover a frame.

    Attributes:
        labels: (h, w) int64, 0 to number - 1.
        number: of regions, some of which may be empty.
    """

    labels: Tensor
    number: int


def clusters(components: Tensor, grid: Grid, settings: PublishedSettings) -> Proposals:
    """Mean-shift clusters of a head's components and of the cells' places (NUMINA, section 3.2).

    Args:
        components: (P, 3) of one head and frame.
        grid: (h, w), P = h * w.
    """
    points = torch.cat([stretched(components.double()), settings.place_weight * places(grid, components.device)], dim=1)
    bandwidth = estimate_bandwidth(points, settings.quantile)
    labels, number = mean_shift(points, bandwidth if bandwidth > 0 else MIN_BANDWIDTH)
    return Proposals(labels.reshape(grid), number)


def places(grid: Grid, device: torch.device) -> Tensor:
    """(P, 2) float64 rows and columns of the cells, each 0 to 1 over the frame."""
    sides = [torch.linspace(0, 1, side, dtype=torch.float64, device=device) for side in grid]
    return torch.stack(torch.meshgrid(*sides, indexing="ij"), dim=-1).flatten(0, 1)


def focus_mask(maps: Tensor, settings: PublishedSettings) -> Tensor:
    """Cells from `focus_ratio` of their map's maximum, without those that lie alone (DBSCAN's noise).

    A cell stays when it lies within `focus_reach` of one that has `focus_neighbours` around it.

    Args:
        maps: (..., h, w) noun response.

    Returns:
        (..., h, w) bool.
    """
    strong = maps >= settings.focus_ratio * maps.amax((-1, -2), keepdim=True)
    around = disc(settings.focus_reach).to(strong.device)
    dense = strong & (_count(strong, around) >= settings.focus_neighbours)
    return strong & (_count(dense, around) > 0)


def _count(mask: Tensor, around: Tensor) -> Tensor:
    """How many cells of a (..., h, w) mask each cell has around it."""
    images = rearrange(mask.float(), "... h w -> (...) 1 h w")
    response = conv2d(images, around[None, None].float(), padding=around.shape[0] // 2)
    return response.round().int().reshape(mask.shape)


def instances(proposals: Proposals, focus: Tensor, overlap: float) -> Tensor:
    """Number the proposals of which at least the share `overlap` belongs to the noun (NUMINA, eq. 9).

    Args:
        proposals: of one frame.
        focus: (h, w) bool, the noun's cells.
        overlap: 0 to 1, inclusive.

    Returns:
        (h, w) int16: 0 background, then instances from 1 in the order of the proposals.
    """
    labels = proposals.labels.flatten()
    area = torch.bincount(labels, minlength=proposals.number)
    inside = torch.bincount(labels, weights=focus.flatten().double(), minlength=proposals.number)
    is_kept = (area > 0) & (inside / area.clamp_min(1) >= overlap)
    numbers = torch.where(is_kept, is_kept.cumsum(0), 0).to(torch.int16)
    return numbers[proposals.labels]
