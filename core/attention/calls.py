"""One recorded attention call of a diffusion model, and the probabilities in it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from ..errors import CountError

Kind = Literal["self", "cross"]
CallKind = Literal["self", "cross", "joint"]
Grid = tuple[int, int]

# Matrices of all heads that are computed together: 4 MB in float32, where the time is that of starting operations.
_FEW_SCORES = 1 << 20


@dataclass(frozen=True)
class AttentionCall:
    """Queries and keys of one call.

    Attributes:
        layer: where in the model, such as "output.3.0".
        kind: "self" when image tokens look at image tokens, "cross" when they look at text tokens, "joint" when one
            softmax runs over both.
        grid: (h, w) of the image tokens whose queries these are, of one frame: F * h * w = N, frame by frame.
        queries: (B, H, N, d), of image tokens only.
        keys: (B, H, K, d), all that the softmax runs over: N image tokens, T text tokens, or both.
        text: which keys are the text tokens of a "joint" call.
        image: which tokens of the attention the queries are, in a "joint" or "self" call their keys in the same order.
            None where they are all of the image tokens, and these have an attention of their own.
        bias: added to the scores before the softmax, broadcastable to (B, H, N, K); None where the model masks nothing.
        image_grid: grid of the image keys, where the queries are only a part of the image tokens; None for `grid`.
        place: which of the model's attention calls this is, from 1.
        frames: F, of a video; 1 for a picture.
    """

    layer: str
    kind: CallKind
    grid: Grid
    queries: Tensor
    keys: Tensor
    text: slice | None = None
    image: slice | None = None
    bias: Tensor | None = None
    image_grid: Grid | None = None
    place: int = 0
    frames: int = 1

    def columns(self, kind: Kind) -> slice | None:
        """The keys whose probabilities are this kind of attention; None when the call has none."""
        if self.kind == "joint":
            return self.image if kind == "self" else self.text
        if self.kind != kind:
            return None
        return slice(None) if self.kind == "cross" or self.image is None else self.image

    def rows(self, queries: int) -> slice:
        """Which of the queries of the model's attention these are; it has so many, of the image alone or of all tokens."""
        return slice(0, queries) if self.image is None or self.queries.shape[2] == queries else self.image


def outline(call: AttentionCall) -> AttentionCall:
    """The call without its numbers: queries and keys keep their shapes and take no memory. The bias stays."""
    queries, keys = (
        torch.empty(1, dtype=own.dtype, device="meta").expand(own.shape) for own in (call.queries, call.keys)
    )
    return replace(call, queries=queries, keys=keys)


def of_heads(call: AttentionCall, heads: Sequence[int]) -> AttentionCall:
    """The call with some of its heads alone; its outline will do."""
    own, bias = list(heads), call.bias
    if bias is not None and bias.shape[1] > 1:
        bias = bias[:, own]
    return replace(call, queries=call.queries[:, own], keys=call.keys[:, own], bias=bias)


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """(B, N, H * d) to (B, H, N, d)."""
    # Not with einops, which takes longer than a small model's attention.
    own: Tensor = tokens.unflatten(-1, (heads, -1)).transpose(1, 2)
    return own


def mean_probabilities(call: AttentionCall, columns: slice = slice(None)) -> Tensor:
    """Attention probabilities, averaged over the heads (ISAC, eq. 1 and 2): (B, N, K) in float32, rows sum to 1.

    Works head by head, so that a single (N, K) matrix per picture is alive at a time where no gradient is wanted; small
    matrices are computed together. Scores are computed in float32, or in float64 for a float64 model.

    Args:
        columns: the keys whose probabilities are kept; the softmax runs over all.
    """
    heads = call.queries.shape[1]
    if heads == 0:
        raise CountError(f"attention call '{call.layer}' has no heads")
    if call.queries.shape[:3].numel() * call.keys.shape[2] <= _FEW_SCORES:
        return _probabilities(call.queries, call.keys, call.bias)[..., columns].mean(1)
    total = head_probabilities(call, 0)[..., columns]
    for head in range(1, heads):
        total = total + head_probabilities(call, head)[..., columns]
    return total / heads


def head_probabilities(call: AttentionCall, head: int) -> Tensor:
    """Probabilities of one head: (B, N, K), rows sum to 1."""
    bias = call.bias
    if bias is not None:
        bias = bias[:, head if bias.shape[1] > 1 else 0]
    return _probabilities(call.queries[:, head], call.keys[:, head], bias)


def _probabilities(queries: Tensor, keys: Tensor, bias: Tensor | None) -> Tensor:
    dtype = torch.promote_types(queries.dtype, torch.float32)
    scores = queries.to(dtype) @ keys.to(dtype).transpose(-1, -2) * queries.shape[-1] ** -0.5
    if bias is not None:
        scores = scores + bias.to(dtype)
    return torch.softmax(scores, dim=-1)


def thinned(call: AttentionCall, most: int) -> AttentionCall:
    """The call with the queries of every second, fourth ... row and column only, so that at most `most` are left.

    One of every frame stays.
    """
    step, (height, width) = 1, call.grid
    while call.frames * -(-height // step) * -(-width // step) > most and step < max(height, width):
        step *= 2
    if step == 1:
        return call
    cells = torch.arange(call.frames * height * width, device=call.queries.device)
    sampled = rearrange(cells, "(f h w) -> f h w", h=height, w=width)[:, ::step, ::step]
    pixels = sampled.flatten()
    bias = call.bias
    if bias is not None and bias.shape[2] > 1:
        bias = bias[:, :, pixels]
    grid, finest = (sampled.shape[1], sampled.shape[2]), call.image_grid or call.grid
    return replace(call, queries=call.queries[:, :, pixels], grid=grid, image_grid=finest, bias=bias)
