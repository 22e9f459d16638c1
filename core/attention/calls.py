"""One recorded attention call of a diffusion model, and the probabilities in it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from ..errors import CountError

Kind = Literal["self", "cross"]
Grid = tuple[int, int]


@dataclass(frozen=True)
class AttentionCall:
    """Queries and keys of one call.

    Attributes:
        layer: where in the model, such as "output.3.0".
        kind: "self" when image tokens look at image tokens, "cross" when they look at text tokens.
        grid: (h, w) of the image tokens, h * w = N.
        queries: (B, H, N, d).
        keys: (B, H, N, d) for self-attention, (B, H, T, d) for cross-attention.
    """

    layer: str
    kind: Kind
    grid: Grid
    queries: Tensor
    keys: Tensor


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, H * d) to (B, H, N, d)."""
    return rearrange(tokens, "b n (h d) -> b h n d", h=heads)


def mean_probabilities(call: AttentionCall) -> Tensor:
    """Attention probabilities, averaged over the heads (ISAC, eq. 1 and 2): (B, N, K) in float32, rows sum to 1.

    Works head by head, so that a single (N, K) matrix per picture is alive at a time where no gradient is wanted.
    """
    scale = call.queries.shape[-1] ** -0.5
    total: Tensor | None = None
    for queries, keys in zip(call.queries.unbind(1), call.keys.unbind(1), strict=True):
        part = torch.softmax(queries.float() @ keys.float().transpose(-1, -2) * scale, dim=-1)
        total = part if total is None else total + part
    if total is None:
        raise CountError(f"attention call '{call.layer}' has no heads")
    return total / call.queries.shape[1]
