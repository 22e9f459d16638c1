"""Recomputes those rows of an attention call that carry a bias, on top of whatever backend computed the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..capture import both_as_heads


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
    _, v = both_as_heads(q, v, heads, kwargs)
    q, k = both_as_heads(q, k, heads, kwargs)
    scale = kwargs.get("scale") or q.shape[-1] ** -0.5
    return AttentionArguments(q, k, v, bias, scale, bool(kwargs.get("skip_output_reshape", False)))


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
