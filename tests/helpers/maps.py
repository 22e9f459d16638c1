"""Random attention maps and calls with the shapes of a small U-Net."""

from __future__ import annotations

import torch
from headcount.core.attention.calls import AttentionCall, Grid, Kind
from headcount.core.attention.mean_maps import AttentionMaps


def random_call(kind: Kind, grid: Grid, seed: int, batch: int = 2, heads: int = 3, text: int = 7) -> AttentionCall:
    generator = torch.Generator().manual_seed(seed)
    pixels = grid[0] * grid[1]
    queries = torch.randn(batch, heads, pixels, 4, generator=generator)
    keys = torch.randn(batch, heads, pixels if kind == "self" else text, 4, generator=generator)
    return AttentionCall(f"layer.{seed}", kind, grid, queries, keys)


def random_maps(grid: Grid, text: int, seed: int, batch: int = 1, dtype: torch.dtype = torch.float64) -> AttentionMaps:
    """Maps whose rows sum to 1, as a model call without resizing gives them."""
    generator = torch.Generator().manual_seed(seed)
    pixels = grid[0] * grid[1]
    own = torch.randn(batch, pixels, pixels, generator=generator, dtype=dtype).mul(2).softmax(-1)
    cross = torch.randn(batch, pixels, text, generator=generator, dtype=dtype).mul(2).softmax(-1)
    return AttentionMaps(own, cross, grid)


def blob_heat(size: Grid, centres: list[tuple[int, int]], width: float = 1.5) -> torch.Tensor:
    """(h, w) heat with one round bump at each (row, column)."""
    rows = torch.arange(size[0]).view(-1, 1)
    columns = torch.arange(size[1]).view(1, -1)
    bumps = [torch.exp(-((rows - y).square() + (columns - x).square()) / (2 * width**2)) for y, x in centres]
    return torch.stack(bumps).amax(0) if bumps else torch.zeros(size)
