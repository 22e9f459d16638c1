"""The pixels that look at the counted nouns, and how they fall into instances (ISAC, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..errors import CountError
from .calls import Grid
from .clusters import Clustering, cluster


def noun_columns(cross: Tensor, tokens: tuple[tuple[int, ...], ...]) -> Tensor:
    """Columns of the counted nouns; a noun of several tokens is the mean over them.

    Args:
        cross: (P, T) cross-attention of one picture.
        tokens: per noun, its token positions, 0 <= position < T.

    Returns:
        (P, k), one column per noun.

    Raises:
        CountError: a position lies outside of the context.
    """
    for positions in tokens:
        if not positions or max(positions) >= cross.shape[1]:
            raise CountError(f"token positions {positions} do not fit a context of {cross.shape[1]} tokens")
    return torch.stack([cross[:, list(positions)].mean(1) for positions in tokens], dim=1)


def foreground(classes: Tensor, least: int) -> Tensor:
    """Indices of the pixels where some noun is above its mean (ISAC, eq. 9): (F,).

    All pixels, when fewer than `least` are above: fewer pixels than instances cannot be told apart.

    Args:
        classes: (P, k) propagated maps of the nouns.
    """
    above = (classes > classes.mean(0)).any(1).nonzero().squeeze(1)
    return above if len(above) >= least else torch.arange(len(classes), device=classes.device)


def pixel_coordinates(grid: Grid, like: Tensor) -> Tensor:
    """(P, 2) x and y of every pixel, each in -1..1, in the dtype and on the device of `like`."""
    y = torch.linspace(-1, 1, grid[0], dtype=like.dtype, device=like.device)
    x = torch.linspace(-1, 1, grid[1], dtype=like.dtype, device=like.device)
    return torch.stack([x.repeat(grid[0]), y.repeat_interleave(grid[1])], dim=1)


def cluster_pixels(
    attention: Tensor, pixels: Tensor, grid: Grid, instances: int, clustering: Clustering = "kmeans"
) -> Tensor:
    """Clusters of [self-attention row | x | y] of the foreground pixels (ISAC, eq. 10 and 11).

    Args:
        attention: (F, F) self-attention among the foreground pixels.
        pixels: (F,) their indices in the grid.
        instances: N.

    Returns:
        (F, N) one-hot, without gradient.
    """
    detached = attention.detach()
    features = torch.cat([detached, pixel_coordinates(grid, detached)[pixels]], dim=1)
    return cluster(features, instances, clustering)
