"""Image tokens as grids: which grid a token count stands for, and maps moved from one grid to another."""

from __future__ import annotations

from einops import rearrange
from torch import Tensor
from torch.nn.functional import interpolate

from ..errors import CountError
from .calls import Grid


def grid_of(tokens: int, latent: Grid) -> Grid | None:
    """The grid that `tokens` image tokens form for a latent of (height, width) `latent`.

    Diffusion models halve each side, rounding up, so the sides are tried in that order.

    Returns:
        (h, w) with h * w = tokens, or None when no halving of the latent gives that many.
    """
    height, width = latent
    while height * width >= tokens:
        if height * width == tokens:
            return height, width
        if (height, width) == (1, 1):
            return None
        height, width = (height + 1) // 2, (width + 1) // 2
    return None


def resize_queries(maps: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Bilinear resize of the image axis: (B, h * w, K) to (B, H * W, K). Differentiable."""
    if grid == target:
        return maps
    if maps.shape[1] != grid[0] * grid[1]:
        raise CountError(f"{maps.shape[1]} image tokens do not form a grid of {grid[0]} x {grid[1]}")
    columns = rearrange(maps, "b (h w) k -> b k h w", h=grid[0])
    return rearrange(interpolate(columns, size=target, mode="bilinear"), "b k h w -> b (h w) k")


def resize_both(maps: Tensor, grid: Grid, target: Grid, key_grid: Grid | None = None) -> Tensor:
    """Bilinear resize of the query and the key axis of self-attention: (B, h * w, h * w) to (B, H * W, H * W).

    Args:
        key_grid: grid of the key axis, where it is another one than that of the queries.
    """
    by_query = resize_queries(maps, grid, target)
    return resize_queries(by_query.transpose(1, 2), key_grid or grid, target).transpose(1, 2)
