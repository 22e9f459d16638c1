"""Attention probabilities from queries and keys, a bounded number of them at a time."""

from __future__ import annotations

import torch
from torch import Tensor

MOST_ENTRIES = 2**26  # alive at a time, 256 MiB in float32


def self_probabilities(queries: Tensor, keys: Tensor) -> Tensor:
    """(..., R, d) and (..., P, d) to (..., R, P) float32, rows sum to 1."""
    return torch.softmax(queries.float() @ keys.float().mT * queries.shape[-1] ** -0.5, dim=-1)


def head_chunks(queries: Tensor, cells: int) -> list[slice]:
    """Slices of the heads of (H, R, d) queries, few enough at a time for their attention to `cells` keys to fit."""
    together = max(1, MOST_ENTRIES // max(1, queries.shape[1] * cells))
    return [slice(first, first + together) for first in range(0, queries.shape[0], together)]
