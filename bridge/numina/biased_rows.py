"""Recomputes some rows of an attention call on top of whatever backend computed the rest: with a bias, or frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ...core.attention import AttentionCall
from ..attention.arguments import ModelAttention


def write_rows(out: Tensor, attention: ModelAttention, item: int, rows: Tensor, bias: Tensor) -> None:
    """Compute some rows of one item of the batch anew, with a bias, and write them into the answer.

    Args:
        out: what the backend answered; changed in place.
        rows: (R,) indices of queries.
        bias: (R, K), added to the scores of all heads, or (H, R, K).
    """
    queries = attention.queries[item][:, rows]
    whole = bias.to(queries.dtype)
    whole = whole if whole.ndim == 3 else whole[None]
    if attention.bias is not None:
        own = attention.bias[item if attention.bias.shape[0] > 1 else 0]
        whole = whole + (own if own.shape[1] == 1 else own[:, rows]).to(queries.dtype)
    found = scaled_dot_product_attention(
        queries[None], attention.keys[item][None], attention.values[item][None], whole[None], scale=attention.scale
    )[0]
    _write(out, attention, item, rows, found)


def write_frame_local(out: Tensor, attention: ModelAttention, call: AttentionCall, items: Sequence[int]) -> None:
    """Compute a video's self-attention anew, each frame among its own keys, for some items of the batch.

    Args:
        out: what the backend answered; changed in place.
        call: the same call as the model's family reads it.
    """
    tokens = call.image or slice(0, call.queries.shape[2])
    rows = torch.arange(tokens.start, tokens.stop, device=out.device)
    for item in items:
        queries, keys, values = (
            rearrange(one[item][:, tokens], "h (f p) d -> f h p d", f=call.frames)
            for one in (attention.queries, attention.keys, attention.values)
        )
        found = scaled_dot_product_attention(queries, keys, values, scale=attention.scale)
        _write(out, attention, item, rows, rearrange(found, "f h p d -> h (f p) d"))


def _write(out: Tensor, attention: ModelAttention, item: int, rows: Tensor, found: Tensor) -> None:
    """Write (H, R, d) into the answer."""
    if attention.out_as_heads:
        out[item][:, rows] = found.to(out.dtype)
    else:
        out[item][rows] = found.transpose(0, 1).flatten(1).to(out.dtype)
