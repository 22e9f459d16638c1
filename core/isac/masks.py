"""Soft masks of instances (ISAC, section 3.2)."""

from __future__ import annotations

import torch
from torch import Tensor

from ..attention import AttentionMaps, Clustering, cluster_pixels, foreground, noun_columns


def instance_masks(
    maps: AttentionMaps,
    item: int,
    tokens: tuple[tuple[int, ...], ...],
    instances: int,
    clustering: Clustering = "kmeans",
) -> tuple[Tensor, Tensor]:
    """Soft masks of the instances of one picture: M = SA_fg @ K (ISAC, eq. 9 to 11).

    Args:
        maps: maps of a batch.
        item: which picture of the batch.
        tokens: per noun, its token positions.
        instances: N, how many instances to tell apart.
        clustering: how K is found.

    Returns:
        masks (N, F), differentiable, and the indices (F,) of the foreground pixels in the grid.
    """
    attention = maps.self_attention[item]
    with torch.no_grad():
        spread = attention @ noun_columns(maps.cross_attention[item], tokens)
        pixels = foreground(spread, instances)
    among = attention[pixels][:, pixels]
    return (among @ cluster_pixels(among, pixels, maps.grid, instances, clustering)).T, pixels
