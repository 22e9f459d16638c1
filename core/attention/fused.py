"""A few columns of attention matrices by PyTorch's fused attention, which never makes the matrices.

Attention over values that are 1 at a wanted key and 0 elsewhere is that key's column of probabilities. On a GPU this runs
in the kernels that the model itself runs in, forward and backward; for the long rows of joint attention nothing is faster.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .calls import AttentionCall

# Powers of two are exact. Fused kernels answer in the dtype of the queries, and half precision ends at 6e-8.
_UNIT = 1024.0


def _dtype(call: AttentionCall) -> torch.dtype:
    """Half precision is what a GPU's kernels are made for; a CPU has none worth the name."""
    given = call.queries.dtype
    return torch.promote_types(given, torch.float32) if call.queries.device.type == "cpu" else given


def _columns(queries: Tensor, keys: Tensor, bias: Tensor | None, columns: tuple[int, ...]) -> Tensor:
    """`_UNIT` times the probabilities of some keys: (B, H, N, d), columns beyond them are 0."""
    values = torch.zeros_like(keys)
    for place, column in enumerate(columns):
        values[:, :, column, place] = _UNIT
    return scaled_dot_product_attention(queries, keys, values, None if bias is None else bias.to(queries.dtype))


def _text_keys(call: AttentionCall, tokens: tuple[int, ...]) -> list[tuple[int, ...]]:
    """Which keys the tokens are, as many together as a head has channels."""
    part = range(call.keys.shape[2])[call.columns("cross") or slice(0)]
    keys, most = tuple(part[token] for token in tokens), call.keys.shape[3]
    return [keys[start : start + most] for start in range(0, len(keys), most)]


def mean_columns(call: AttentionCall, tokens: tuple[int, ...]) -> Tensor:
    """Probabilities of some text tokens, averaged over the heads: (B, N, c) in float32 or float64, without graph."""
    own, dtype = _dtype(call), torch.promote_types(call.queries.dtype, torch.float32)
    with torch.inference_mode(False), torch.no_grad():
        parts = [
            _columns(call.queries.to(own), call.keys.to(own), call.bias, keys)[..., : len(keys)].mean(1, dtype=dtype)
            for keys in _text_keys(call, tokens)
        ]
        return torch.cat(parts, dim=-1) / _UNIT


def column_gradient(call: AttentionCall, item: int, tokens: tuple[int, ...], gradient: Tensor) -> tuple[Tensor, Tensor]:
    """Carry a gradient on the summed heads of some text tokens to one picture's queries and keys.

    Args:
        gradient: (N, c).

    Returns:
        (H, N, d) and (H, K, d), in `gradient`'s dtype.
    """
    bias = call.bias
    if bias is not None:
        bias = bias[[item]] if bias.shape[0] > 1 else bias
    largest = gradient.abs().amax().clamp_min(torch.finfo(gradient.dtype).tiny)
    totals = [torch.zeros_like(whole[item], dtype=gradient.dtype) for whole in (call.queries, call.keys)]
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [whole[[item]].detach().to(_dtype(call)).requires_grad_() for whole in (call.queries, call.keys)]
        start = 0
        for keys in _text_keys(call, tokens):
            out = _columns(leaves[0], leaves[1], bias, keys)
            at_out = torch.zeros_like(out)
            # Scaled to 1, so that nothing is lost in half precision.
            at_out[..., : len(keys)] = gradient[:, start : start + len(keys)] / largest
            for total, part in zip(totals, torch.autograd.grad(out, leaves, at_out), strict=True):
                total += part[0].to(gradient) * (largest / _UNIT)
            start += len(keys)
    return totals[0], totals[1]
