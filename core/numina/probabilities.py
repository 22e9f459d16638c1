"""Attention probabilities from queries and keys, a bounded number of them at a time."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_ENTRIES = 2**26  # alive at a time, 256 MiB in float32
# The same on a CPU, 8 MiB: what its caches hold, and what the allocator need not ask the system for again each time.
MOST_CACHED = 2**21


def scores(queries: Tensor, keys: Tensor) -> Tensor:
    """(..., R, d) and (..., P, d) to (..., R, P) float32, what the softmax runs over."""
    found: Tensor = queries.float() * queries.shape[-1] ** -0.5 @ keys.float().mT
    return found


def self_probabilities(queries: Tensor, keys: Tensor) -> Tensor:
    """(..., R, d) and (..., P, d) to (..., R, P) float32, rows sum to 1."""
    return torch.softmax(scores(queries, keys), dim=-1)


def head_chunks(queries: Tensor, cells: int) -> list[slice]:
    """Slices of the heads of (H, R, d) queries, few enough at a time for their attention to `cells` keys to fit."""
    most = min(MOST_ENTRIES, MOST_CACHED) if queries.device.type == "cpu" else MOST_ENTRIES
    together = max(1, most // max(1, queries.shape[1] * cells))
    return [slice(first, first + together) for first in range(0, queries.shape[0], together)]
