"""Recomputes those rows of an attention call that carry a bias, on top of whatever backend computed the rest."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from ..attention.arguments import ModelAttention


def write_rows(out: Tensor, attention: ModelAttention, item: int, rows: Tensor, bias: Tensor) -> None:
    """Compute some rows of one item of the batch anew, with a bias, and write them into the answer.

    Args:
        out: what the backend answered; changed in place.
        rows: (R,) indices of queries.
        bias: (R, K), added to the scores of all heads.
    """
    queries = attention.queries[item][:, rows]
    whole = bias.to(queries.dtype)[None]
    if attention.bias is not None:
        own = attention.bias[item if attention.bias.shape[0] > 1 else 0]
        whole = whole + (own if own.shape[1] == 1 else own[:, rows]).to(queries.dtype)
    found = scaled_dot_product_attention(
        queries[None], attention.keys[item][None], attention.values[item][None], whole[None], scale=attention.scale
    )[0]
    if attention.out_as_heads:
        out[item][:, rows] = found.to(out.dtype)
    else:
        out[item][rows] = found.transpose(0, 1).flatten(1).to(out.dtype)
