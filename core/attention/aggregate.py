"""Attention of all heads, layers and resolutions as one self- and one cross-attention map (ISAC, eq. 3, 4 and 14)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..errors import CountError
from .calls import AttentionCall, Grid, Kind, mean_probabilities
from .grids import resize_both, resize_queries


@dataclass(frozen=True)
class AttentionMaps:
    """Attention of one model call on one grid.

    Attributes:
        self_attention: (B, P, P), row p says where pixel p looks.
        cross_attention: (B, P, T), column j says where token j is looked at from.
        grid: (h, w), P = h * w.
    """

    self_attention: Tensor
    cross_attention: Tensor
    grid: Grid

    def propagated(self) -> Tensor:
        """Cross-attention spread along self-attention, SA @ CA (ISAC, eq. 7): (B, P, T)."""
        return self.self_attention @ self.cross_attention


def largest_grid(calls: Iterable[AttentionCall]) -> Grid:
    """The finest grid among `calls`.

    Raises:
        CountError: there are no calls.
    """
    grids = [call.grid for call in calls]
    if not grids:
        raise CountError("the model made no attention call that could be recorded")
    return max(grids, key=lambda grid: grid[0] * grid[1])


def mean_over_layers(calls: list[AttentionCall], kind: Kind, target: Grid) -> Tensor:
    """Mean attention of one kind over heads and layers, resized to `target` (ISAC, eq. 3 and 4): (B, P, K).

    Maps are summed per grid before they are resized: resizing is linear, and costs.

    Raises:
        CountError: no call of this kind was recorded.
    """
    sums: dict[Grid, Tensor] = {}
    heads = 0
    for call in calls:
        if call.kind == kind:
            part = mean_probabilities(call) * call.queries.shape[1]
            sums[call.grid] = sums[call.grid] + part if call.grid in sums else part
            heads += call.queries.shape[1]
    if not sums:
        raise CountError(f"the model made no {kind}-attention call that could be recorded")
    resize = resize_both if kind == "self" else resize_queries
    return torch.stack([resize(part, grid, target) for grid, part in sums.items()]).sum(0) / heads


def aggregate(calls: list[AttentionCall], grid: Grid | None = None) -> AttentionMaps:
    """Mean attention over all heads and layers, resized to `grid` or to the finest one recorded (ISAC, eq. 3 and 4).

    Args:
        calls: recorded calls of one model call, any mix of grids.

    Returns:
        Maps whose rows sum to 1 where nothing was resized. Differentiable.

    Raises:
        CountError: no self-attention or no cross-attention was recorded.
    """
    target = grid or largest_grid(calls)
    return AttentionMaps(mean_over_layers(calls, "self", target), mean_over_layers(calls, "cross", target), target)


def min_max(maps: Tensor) -> Tensor:
    """Scale each picture's whole map to 0..1 (ISAC, eq. 14). The two extremes get no gradient: it would be noise."""
    low, high = maps.detach().amin((1, 2), keepdim=True), maps.detach().amax((1, 2), keepdim=True)
    return (maps - low) / (high - low).clamp_min(torch.finfo(maps.dtype).tiny)


def normalised(maps: AttentionMaps) -> AttentionMaps:
    """Both maps scaled to 0..1 over each picture (ISAC, eq. 14)."""
    return AttentionMaps(min_max(maps.self_attention), min_max(maps.cross_attention), maps.grid)


def fold_repeats(cross: Tensor, length: int) -> Tensor:
    """Add up what a context that was repeated end to end received: (B, P, r * length) to (B, P, length).

    ComfyUI repeats the shorter of two contexts that share a batch; copies of a token share its attention.

    Raises:
        CountError: the context is not a whole number of repeats.
    """
    if cross.shape[-1] % length:
        raise CountError(f"the model reads {cross.shape[-1]} text tokens, the prompt has {length}")
    folded: Tensor = cross.unflatten(-1, (-1, length)).sum(-2)
    return folded
