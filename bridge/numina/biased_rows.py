"""Recomputes those rows of an attention call that carry a bias, on top of whatever backend computed the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ...core.attention.calls import split_heads


@dataclass(frozen=True)
class AttentionArguments:
    """One call of an attention function of ComfyUI, as heads.

    Attributes:
        queries: (B, H, N, d).
        keys, values: (B, H, K, d).
        bias: added to the scores, broadcastable to (B, H, N, K), or None.
        scale: of the scores.
        out_as_heads: the function answers (B, H, N, d) instead of (B, N, H * d).
    """

    queries: Tensor
    keys: Tensor
    values: Tensor
    bias: Tensor | None
    scale: float
    out_as_heads: bool


def arguments_of(
    q: Tensor, k: Tensor, v: Tensor, heads: int, bias: Tensor | None, kwargs: Mapping[str, Any]
) -> AttentionArguments:
    """Read what an attention override is called with.

    Args:
        bias: the call's mask, as (B, H, N, K), see `capture.as_bias`.
    """
    if not kwargs.get("skip_reshape", False):
        q = _split(q, heads, 0)
        k, v = _split(k, 0, q.shape[-1]), _split(v, 0, q.shape[-1])
    if k.shape[1] != q.shape[1]:  # newer ComfyUI leaves the repeating of grouped keys to the backend
        k, v = (one.repeat_interleave(q.shape[1] // one.shape[1], dim=1) for one in (k, v))
    scale = kwargs.get("scale") or q.shape[-1] ** -0.5
    return AttentionArguments(q, k, v, bias, scale, bool(kwargs.get("skip_output_reshape", False)))


def _split(tokens: Tensor, heads: int, width: int) -> Tensor:
    """(B, N, H * d), or (B, N, H, d) as SD3 hands over its values, to (B, H, N, d)."""
    if tokens.ndim == 4:
        return tokens.transpose(1, 2)
    return split_heads(tokens, heads or tokens.shape[-1] // width)


def write_rows(out: Tensor, arguments: AttentionArguments, item: int, rows: Tensor, bias: Tensor) -> None:
    """Compute some rows of one item of the batch anew, with a bias, and write them into the answer.

    Args:
        out: what the backend answered; changed in place.
        rows: (R,) indices of queries.
        bias: (R, K), added to the scores of all heads.
    """
    queries = arguments.queries[item][:, rows]
    whole = bias.to(queries.dtype)[None]
    if arguments.bias is not None:
        own = arguments.bias[item if arguments.bias.shape[0] > 1 else 0]
        whole = whole + (own if own.shape[1] == 1 else own[:, rows]).to(queries.dtype)
    found = scaled_dot_product_attention(
        queries[None], arguments.keys[item][None], arguments.values[item][None], whole[None], scale=arguments.scale
    )[0]
    if arguments.out_as_heads:
        out[item][:, rows] = found.to(out.dtype)
    else:
        out[item][rows] = found.transpose(0, 1).flatten(1).to(out.dtype)
