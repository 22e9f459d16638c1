"""Records queries and keys of a model's attention calls, through ComfyUI's attention override."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..core.attention.calls import AttentionCall, Grid, Kind, split_heads
from ..core.attention.grids import grid_of

SLOT = "optimized_attention_override"
Override = Callable[..., Tensor]


def layer_name(options: Mapping[str, Any]) -> str:
    """Name of the layer that runs, such as "output.3.0", from what the U-Net writes into transformer_options."""
    block = options.get("block", ("model", 0))
    return f"{block[0]}.{block[1]}.{options.get('block_index', 0)}"


def _as_heads(tokens: Tensor, heads: int, has_heads: bool) -> Tensor:
    return tokens if has_heads else split_heads(tokens, heads)


@dataclass
class Capture:
    """Collects the attention calls of one conditioning.

    Attributes:
        latent: (height, width) of the latent, to read grids from token counts where the model does not say them.
        uuid: id of the conditioning; ComfyUI runs several in one batch, and only the chunk of this one is kept.
            None keeps the whole batch.
        most_self_pixels: self-attention among more pixels than this is left out, unless the model has no coarser one;
            None keeps all.
        calls: recorded calls, in the order in which the model makes them.
    """

    latent: Grid
    uuid: Any = None
    most_self_pixels: int | None = None
    calls: list[AttentionCall] = field(default_factory=list)
    _last: tuple[str, Kind] = ("", "cross")

    def override(self, attention: Override, previous: Override | None = None) -> Override:
        """An attention override that records, and then computes the attention on the same arguments.

        Args:
            attention: called as `attention(function, *arguments)` with the model's own function.
            previous: another node's override; where there is one, it is called instead of `attention`.
        """
        compute = attention if previous is None else previous

        def record(
            function: Override, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any
        ) -> Tensor:
            self._record(q, k, heads, kwargs)
            return compute(function, q, k, v, heads, *args, **kwargs)

        return record

    def _record(self, q: Tensor, k: Tensor, heads: int, kwargs: Mapping[str, Any]) -> None:
        options = kwargs.get("transformer_options") or {}
        name = layer_name(options)
        has_heads = bool(kwargs.get("skip_reshape", False))
        queries, keys = _as_heads(q, heads, has_heads), _as_heads(k, heads, has_heads)
        # A context may happen to have as many tokens as the image: then the order of a block's two attentions tells
        # which one this is. The order alone would not do, since another node may have replaced the first one.
        is_cross = queries.shape[2] != keys.shape[2] or self._last == (name, "self")
        kind: Kind = "cross" if is_cross else "self"
        self._last = (name, kind)
        grid = self._grid(queries.shape[2], options)
        if grid is None:
            return
        if self.uuid is not None:
            chunks = list(options.get("uuids", ()))
            if self.uuid not in chunks:
                return
            mine = chunks.index(self.uuid)
            queries, keys = queries.chunk(len(chunks))[mine], keys.chunk(len(chunks))[mine]
        self._keep(AttentionCall(name, kind, grid, queries, keys))

    def _keep(self, call: AttentionCall) -> None:
        if call.kind == "self" and self.most_self_pixels is not None:
            pixels = call.queries.shape[2]
            coarsest = min((other.queries.shape[2] for other in self.calls if other.kind == "self"), default=pixels)
            if pixels > max(coarsest, self.most_self_pixels):
                return
            most = max(pixels, self.most_self_pixels)
            self.calls = [other for other in self.calls if other.kind == "cross" or other.queries.shape[2] <= most]
        self.calls.append(call)

    def _grid(self, tokens: int, options: Mapping[str, Any]) -> Grid | None:
        shape = options.get("activations_shape")
        if shape is not None and shape[-2] * shape[-1] == tokens:
            return int(shape[-2]), int(shape[-1])
        return grid_of(tokens, self.latent)


def own_function(function: Override, *args: Any, **kwargs: Any) -> Tensor:
    """Run the attention function that the model itself would have run."""
    return function(*args, **kwargs)
