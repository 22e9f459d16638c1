"""Image tokens as grids: which grid a token count stands for, and maps moved from one grid to another."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool1d, conv2d, interpolate, pad

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


def halved(grid: Grid, most: int) -> Grid:
    """`grid` with its sides halved, rounding up, until it has at most `most` cells."""
    height, width = grid
    while height * width > most:
        height, width = (height + 1) // 2, (width + 1) // 2
    return height, width


def resize_queries(maps: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Bilinear resize of the image axis: (B, h * w, K) to (B, H * W, K). Differentiable."""
    if grid == target:
        return maps
    if maps.shape[1] != grid[0] * grid[1]:
        raise CountError(f"{maps.shape[1]} image tokens do not form a grid of {grid[0]} x {grid[1]}")
    columns = rearrange(maps, "b (h w) k -> b k h w", h=grid[0])
    return rearrange(interpolate(columns, size=target, mode="bilinear"), "b k h w -> b (h w) k")


def resize_keys(maps: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Bilinear resize of the last axis: (n, h * w) to (n, H * W)."""
    if grid == target:
        return maps
    pictures = rearrange(maps, "n (h w) -> 1 n h w", h=grid[0])
    return interpolate(pictures, size=target, mode="bilinear")[0].flatten(1)


def resize_both(maps: Tensor, grid: Grid, target: Grid, key_grid: Grid | None = None) -> Tensor:
    """Bilinear resize of the query and the key axis of self-attention: (B, h * w, h * w) to (B, H * W, H * W).

    Args:
        key_grid: grid of the key axis, where it is another one than that of the queries.
    """
    by_query = resize_queries(maps, grid, target)
    return resize_queries(by_query.transpose(1, 2), key_grid or grid, target).transpose(1, 2)


def _axis_sources(size: int, target: int) -> tuple[Tensor, Tensor, Tensor]:
    """Per place of a resized axis: its two neighbours in the axis of `size`, and the share of the second one."""
    place = ((torch.arange(target, dtype=torch.float64) + 0.5) * (size / target) - 0.5).clamp(0, size - 1)
    low = place.long()
    return low, (low + 1).clamp_max(size - 1), place - low


def pixel_sources(pixels: Tensor, grid: Grid, target: Grid, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Which cells of `grid` make up pixels of the bilinearly resized `target` grid.

    Args:
        pixels: (n,) indices into the cells of `target`.

    Returns:
        (n, s) indices into `grid` and (n, s) weights in `dtype`, s = 4, or 1 where nothing is resized.
    """
    if grid == target:
        return pixels[:, None], torch.ones(len(pixels), 1, dtype=dtype, device=pixels.device)
    sources = (_axis_sources(*sizes) for sizes in zip(grid, target, strict=True))
    # The shares are float64, which not every device has.
    rows, columns = (
        (low.to(pixels.device), high.to(pixels.device), share.to(dtype).to(pixels.device))
        for low, high, share in sources
    )
    y, x = pixels // target[1], pixels % target[1]
    corners = [(i, j) for i in (0, 1) for j in (0, 1)]
    index = torch.stack([rows[i][y] * grid[1] + columns[j][x] for i, j in corners], dim=1)
    shares = [[1 - axis[2][at], axis[2][at]] for axis, at in ((rows, y), (columns, x))]
    weights = torch.stack([shares[0][i] * shares[1][j] for i, j in corners], dim=1)
    return index, weights


def resize_back(gradient: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Transpose of the bilinear resize from `grid` to `target`: (n, H * W) to (n, h * w).

    As two small matrix products, which add up in the same order every time; PyTorch's own backward does not on a GPU.
    """
    if grid == target:
        return gradient
    matrices = []
    for size, wanted in zip(grid, target, strict=True):
        low, high, share = _axis_sources(size, wanted)
        matrix = torch.zeros(wanted, size, dtype=torch.float64)
        matrix.scatter_add_(1, low[:, None], (1 - share)[:, None]).scatter_add_(1, high[:, None], share[:, None])
        matrices.append(matrix.to(gradient))
    pictures = rearrange(gradient, "n (h w) -> n h w", h=target[0])
    return (matrices[0].T @ pictures @ matrices[1]).flatten(1)


def area_pooled(maps: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Mean over areas, from `grid` to the coarser `target`: (k, h * w) to (k, H * W). Differentiable."""
    if grid == target:
        return maps
    vertical, horizontal = (
        adaptive_avg_pool1d(torch.eye(size, dtype=maps.dtype, device=maps.device), wanted)
        for size, wanted in zip(grid, target, strict=True)
    )
    pictures = rearrange(maps, "k (h w) -> k h w", h=grid[0])
    return (vertical.T @ pictures @ horizontal).flatten(1)


def smoothed(heat: Tensor, grid: Grid) -> Tensor:
    """Blur (k, P) maps with a 3 x 3 binomial kernel: (k, P). Single cells of noise must not count as things."""
    row = torch.tensor([0.25, 0.5, 0.25], dtype=heat.dtype, device=heat.device)
    images = pad(heat.reshape(len(heat), 1, *grid), (1, 1, 1, 1), mode="replicate")
    return conv2d(images, torch.outer(row, row)[None, None]).reshape(heat.shape)
