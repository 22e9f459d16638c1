"""What ComfyUI's attention functions are called with, as heads."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ...core.attention import split_heads


@dataclass(frozen=True)
class ModelAttention:
    """One call of an attention function, as a model makes it.

    Attributes:
        queries: (B, H, N, d).
        keys: (B, H, K, d).
        bias: added to the scores, broadcastable to (B, H, N, K), or None.
        scale: of the scores.
        out_as_heads: the function answers (B, H, N, d) instead of (B, N, H * d).
        options: ComfyUI's transformer_options.
        make_values: gives `values`.
    """

    queries: Tensor
    keys: Tensor
    bias: Tensor | None
    scale: float
    out_as_heads: bool
    options: Mapping[str, Any]
    make_values: Callable[[], Tensor]

    @cached_property
    def values(self) -> Tensor:
        """(B, H, K, d); those of grouped keys are copied, which only a hook that needs them pays for."""
        return self.make_values()


def model_attention(q: Any, k: Any, v: Any, heads: int, mask: Any, kwargs: Mapping[str, Any]) -> ModelAttention | None:
    """Read a call's arguments; None where they come in a form that is not known here."""
    if not is_known_form(q, k, heads, mask, kwargs):
        return None
    queries, keys = both_as_heads(q, k, heads, kwargs)
    scale = kwargs.get("scale") or queries.shape[-1] ** -0.5
    out_as_heads = bool(kwargs.get("skip_output_reshape", False))
    options = kwargs.get("transformer_options") or {}
    bias = as_bias(mask, queries)
    return ModelAttention(
        queries, keys, bias, scale, out_as_heads, options, lambda: both_as_heads(q, v, heads, kwargs)[1]
    )


def is_known_form(q: Any, k: Any, heads: int, mask: Any, kwargs: Mapping[str, Any]) -> bool:
    """Whether an attention function's arguments can be read; not in a form that is new."""
    tensors = (q, k) if mask is None else (q, k, mask)
    if not all(isinstance(one, Tensor) for one in tensors) or not isinstance(heads, int) or heads < 1:
        return False
    if kwargs.get("skip_reshape", False):
        return q.ndim == k.ndim == 4 and q.shape[-1] == k.shape[-1] and q.shape[1] % k.shape[1] == 0
    if not {q.ndim, k.ndim} <= {3, 4}:
        return False
    of_a_head, left_over = divmod(math.prod(q.shape[2:]), heads)
    if left_over:
        return False
    groups, left_over = divmod(math.prod(k.shape[2:]), of_a_head)
    return left_over == 0 and heads % groups == 0


def both_as_heads(q: Tensor, k: Tensor, heads: int, kwargs: Mapping[str, Any]) -> tuple[Tensor, Tensor]:
    """(B, H, N, d) queries and (B, H, K, d) keys of an attention function's arguments; grouped keys are repeated."""
    if not kwargs.get("skip_reshape", False):
        q = tokens_as_heads(q, heads)
        k = tokens_as_heads(k, math.prod(k.shape[2:]) // q.shape[-1])
    return q, repeated_heads(k, q.shape[1])


def tokens_as_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, H * d), or (B, N, H, d) as SD3 hands over its values, to (B, H, N, d)."""
    return tokens.transpose(1, 2) if tokens.ndim == 4 else split_heads(tokens, heads)


def repeated_heads(keys: Tensor, heads: int) -> Tensor:
    """(B, G, K, d) to (B, H, K, d): ComfyUI leaves the repeating of grouped keys to the backend."""
    return keys if keys.shape[1] == heads else keys.repeat_interleave(heads // keys.shape[1], dim=1)


def as_bias(mask: Tensor | None, like: Tensor) -> Tensor | None:
    """A mask as ComfyUI's attention functions take it, as (B, H, N, K) to be added to the scores."""
    if mask is None:
        return None
    if mask.dtype == torch.bool:
        mask = torch.zeros_like(mask, dtype=like.dtype).masked_fill(~mask, float("-inf"))
    while mask.ndim < 4:
        mask = mask.unsqueeze(0 if mask.ndim < 3 else 1)
    return mask
