"""Records queries and keys of a model's attention calls, through ComfyUI's attention override."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import torch
from torch import Tensor

from ..core.attention.calls import AttentionCall, split_heads, thinned
from .families.family import ModelInputs, Reader
from .newer_comfyui import unpacked

SLOT = "optimized_attention_override"
Override = Callable[..., Tensor]


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


@dataclass
class Capture:
    """Collects the attention calls of one conditioning.

    Attributes:
        reader: what makes sense of the model's calls, see `families`.
        uuid: id of the conditioning; ComfyUI runs several in one batch, and only the chunk of this one is kept.
            None keeps the whole batch.
        most_self_pixels: self-attention among more pixels than this is left out, unless the model has no coarser one.
            Where all layers work on one grid, that many queries are kept of each call. None keeps all.
        calls: recorded calls, in the order in which the model makes them.
        seen: how many attention calls the model has made, recorded or not.
        unknown: how many of them came in a form that is not known here, and were left alone.
        of_gradients: model calls that a gradient is taken of are recorded, too.
    """

    of_gradients: ClassVar[bool] = False

    reader: Reader
    uuid: Any = None
    most_self_pixels: int | None = None
    calls: list[AttentionCall] = field(default_factory=list)
    seen: int = 0
    unknown: int = 0
    _asked: bool = field(default=False, init=False)

    def begins(self, options: Mapping[str, Any]) -> bool:
        """False for a model call that is not to be recorded: guidance nodes ask about the same words again, disturbed."""
        if self.uuid is None or self.uuid not in options.get("uuids", ()):
            return self.uuid is None
        first, self._asked = not self._asked, True
        return first

    def model_call(self, inputs: ModelInputs) -> AbstractContextManager[None]:
        """Around each call of the model."""
        return self.reader.begin(inputs, self._take)

    def override(self, attention: Override, previous: Override | None = None) -> Override:
        """An attention override that records, and then computes the attention on the same arguments.

        Args:
            attention: called as `attention(function, *arguments)` with the model's own function.
            previous: another node's override; where there is one, it is called instead of `attention`.
        """
        compute = attention if previous is None else previous

        @torch.compiler.disable  # its counting and numbering would have every call of a model compiled anew
        def record(
            function: Override, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
        ) -> Tensor:
            q, k, v = unpacked(q, k, v)
            mask = args[0] if args else kwargs.get("mask")
            if is_known_form(q, k, heads, mask, kwargs):
                self._read(q, k, heads, mask, kwargs)
            else:
                self.seen, self.unknown = self.seen + 1, self.unknown + 1
            return compute(function, q, k, v, heads, *args, **kwargs)

        return record

    def _read(self, q: Tensor, k: Tensor, heads: int, mask: Tensor | None, kwargs: Mapping[str, Any]) -> None:
        options = kwargs.get("transformer_options") or {}
        queries, keys = both_as_heads(q, k, heads, kwargs)
        self._take(self.reader.read(queries, keys, as_bias(mask, queries), options), options)

    def _take(self, call: AttentionCall | None, options: Mapping[str, Any]) -> None:
        self.seen += 1
        if call is None:
            return
        call = replace(call, place=self.seen)
        if self.uuid is not None:
            chunks = list(options.get("uuids", ()))
            if self.uuid not in chunks:
                return
            call = chunk_of(call, chunks.index(self.uuid), len(chunks))
        self._keep(call)

    def _keep(self, call: AttentionCall) -> None:
        most = self.most_self_pixels
        if most is None or call.kind == "cross":
            self.calls.append(call)
        elif self.reader.one_grid:
            self.calls.append(thinned(call, most))
        else:
            self._keep_coarsest(call, most)

    def _keep_coarsest(self, call: AttentionCall, most: int) -> None:
        pixels = call.queries.shape[2]
        coarsest = min((other.queries.shape[2] for other in self.calls if other.kind == "self"), default=pixels)
        if pixels > max(coarsest, most):
            return
        most = max(pixels, most)
        self.calls = [other for other in self.calls if other.kind != "self" or other.queries.shape[2] <= most]
        self.calls.append(call)


def chunk_of(call: AttentionCall, index: int, chunks: int) -> AttentionCall:
    """The part of a call that belongs to one of the conditionings that share its batch."""
    bias = call.bias
    if bias is not None and bias.shape[0] > 1:
        bias = bias.chunk(chunks)[index]
    return replace(call, queries=call.queries.chunk(chunks)[index], keys=call.keys.chunk(chunks)[index], bias=bias)


def own_function(function: Override, *args: Any, **kwargs: Any) -> Tensor:
    """Run the attention function that the model itself would have run."""
    return function(*args, **kwargs)
