"""Which cells a noun is about: strong in its cross-attention, and not alone."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import conv2d

from .settings import ClusterSettings


def disc(reach: float) -> Tensor:
    """(2 * r + 1, 2 * r + 1) mask of the cells within `reach` of the middle one, r = reach rounded down."""
    side = torch.arange(-int(reach), int(reach) + 1)
    return side[:, None].square() + side.square() <= reach * reach


def focus_mask(maps: Tensor, settings: ClusterSettings) -> Tensor:
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
    found = conv2d(images, around[None, None].float(), padding=around.shape[0] // 2)
    return found.round().int().reshape(mask.shape)
