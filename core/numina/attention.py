"""Attention probabilities from queries and keys, and the main directions in which their rows differ."""

from __future__ import annotations

from functools import lru_cache

import torch
from einops import rearrange
from torch import Tensor

MAX_ENTRIES = 2**26  # alive at a time, 256 MiB in float32

# The same on a CPU, 8 MiB: what its caches hold, and what the allocator need not ask the system for again each time.
MAX_CACHED = 2**21

SPARE = 8  # directions beyond those asked for, which the iteration needs to tell the last of them apart


def scores(queries: Tensor, keys: Tensor) -> Tensor:
    """(..., R, d) and (..., P, d) to (..., R, P) float32, what the softmax runs over."""
    found: Tensor = queries.float() * queries.shape[-1] ** -0.5 @ keys.float().mT
    return found


def self_probabilities(queries: Tensor, keys: Tensor) -> Tensor:
    """(..., R, d) and (..., P, d) to (..., R, P) float32, rows sum to 1."""
    return torch.softmax(scores(queries, keys), dim=-1)


def head_chunks(queries: Tensor, cells: int) -> list[slice]:
    """Slices of the heads of (H, R, d) queries, few enough at a time for their attention to `cells` keys to fit."""
    most = min(MAX_ENTRIES, MAX_CACHED) if queries.device.type == "cpu" else MAX_ENTRIES
    together = max(1, most // max(1, queries.shape[1] * cells))
    return [slice(first, first + together) for first in range(0, queries.shape[0], together)]


@torch.no_grad()
def principal_components(attention: Tensor, number: int = 3, iterations: int = 4) -> Tensor:
    """Principal components of attention rows (NUMINA, eq. 3): subspace iteration from a fixed start.

    Args:
        attention: (..., R, P), rows are queries; float32 or float64.
        number: how many components.
        iterations: of two products with the matrix each.

    Returns:
        (..., R, number): rows of U * S of the column-centred matrix, the strongest first. The sign of a component is
        such that its largest entry by size is positive. Components that the matrix does not have are 0.
    """
    size = min(number + SPARE, *attention.shape[-2:])
    basis = _fixed_start(attention.shape[-1], size).to(attention)
    for _ in range(iterations):
        basis = torch.linalg.qr(attention.mT @ _centred(attention @ basis)).Q
    directions, strengths, _ = torch.linalg.svd(_centred(attention @ basis), full_matrices=False)
    directions, strengths = directions[..., :number], strengths[..., :number]
    largest = directions.gather(-2, directions.abs().argmax(-2, keepdim=True))
    components = directions * largest.sign() * rearrange(strengths, "... n -> ... 1 n")
    return torch.nn.functional.pad(components, (0, number - components.shape[-1]))


def _centred(seen: Tensor) -> Tensor:
    """(..., R, n) products with a matrix, as the column-centred matrix would have given them."""
    return seen - seen.mean(-2, keepdim=True)


@lru_cache(maxsize=2)
def _fixed_start(rows: int, columns: int) -> Tensor:
    generator = torch.Generator().manual_seed(0)
    return torch.randn(rows, columns, generator=generator, dtype=torch.float64)
