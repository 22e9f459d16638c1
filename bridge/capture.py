"""Records queries and keys of a model's attention calls, through ComfyUI's attention override."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..core.attention.calls import AttentionCall, Grid, split_heads
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
    """Collects the calls of one model call.

    Attributes:
        latent: (height, width) of the latent, to read grids from token counts where the model does not say them.
        calls: recorded calls, in the order in which the model makes them.
        uuids: per chunk of the batch, the id of the conditioning that ComfyUI runs in it.
    """

    latent: Grid
    calls: list[AttentionCall] = field(default_factory=list)
    uuids: list[Any] = field(default_factory=list)

    def override(self, attention: Override, previous: Override | None = None) -> Override:
        """An attention override that records and then runs `previous`, or `attention`, on the same arguments.

        Args:
            attention: what computes the attention when nobody else overrides it; given the model's own function
                as first argument.
        """

        def record(function: Override, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
            self._record(q, k, heads, kwargs)
            if previous is not None:
                return previous(function, q, k, v, heads, *args, **kwargs)
            return attention(function, q, k, v, heads, *args, **kwargs)

        return record

    def _record(self, q: Tensor, k: Tensor, heads: int, kwargs: Mapping[str, Any]) -> None:
        options = kwargs.get("transformer_options") or {}
        has_heads = bool(kwargs.get("skip_reshape", False))
        queries, keys = _as_heads(q, heads, has_heads), _as_heads(k, heads, has_heads)
        grid = self._grid(queries.shape[2], options)
        if grid is None:
            return
        # Which of the two attentions of a transformer block this is shows in the order of the calls: a context may
        # happen to have as many tokens as the image.
        name = layer_name(options)
        second = bool(self.calls) and self.calls[-1].layer == name and self.calls[-1].kind == "self"
        self.calls.append(AttentionCall(name, "cross" if second else "self", grid, queries, keys))
        self.uuids = list(options.get("uuids", self.uuids))

    def _grid(self, tokens: int, options: Mapping[str, Any]) -> Grid | None:
        shape = options.get("activations_shape")
        if shape is not None and shape[-2] * shape[-1] == tokens:
            return int(shape[-2]), int(shape[-1])
        return grid_of(tokens, self.latent)


def own_function(function: Override, *args: Any, **kwargs: Any) -> Tensor:
    """Run the attention function that the model itself would have run."""
    return function(*args, **kwargs)
