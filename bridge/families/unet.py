"""Stable Diffusion's U-Nets: self- and cross-attention, on grids that halve with depth."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from torch import Tensor

from ...core.attention.calls import AttentionCall, Grid, Kind
from ...core.attention.grids import grid_of
from .family import Family


def layer_name(options: Mapping[str, Any]) -> str:
    """Name of the layer that runs, such as "output.3.0", from what the U-Net writes into transformer_options."""
    block = options.get("block", ("model", 0))
    return f"{block[0]}.{block[1]}.{options.get('block_index', 0)}"


class UNetReader:
    """Reads grids from token counts, and kinds from lengths and order."""

    def __init__(self, latent: Grid) -> None:
        self._latent = latent
        self._last: tuple[str, Kind] = ("", "cross")

    def read(
        self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Mapping[str, Any]
    ) -> AttentionCall | None:
        name = layer_name(options)
        # A context may happen to have as many tokens as the image: then the order of a block's two attentions tells
        # which one this is. The order alone would not do, since another node may have replaced the first one.
        is_cross = queries.shape[2] != keys.shape[2] or self._last == (name, "self")
        kind: Kind = "cross" if is_cross else "self"
        self._last = (name, kind)
        grid = self._grid(queries.shape[2], options)
        return grid and AttentionCall(name, kind, grid, queries, keys, bias=bias)

    def _grid(self, tokens: int, options: Mapping[str, Any]) -> Grid | None:
        shape = options.get("activations_shape")
        if shape is not None and shape[-2] * shape[-1] == tokens:
            return int(shape[-2]), int(shape[-1])
        return grid_of(tokens, self._latent)


UNET = Family(
    "Stable Diffusion 1.5, 2.1, SDXL, their fine-tunes and the Shapes demo model",
    UNetModel,
    UNetReader,
    (BasicTransformerBlock,),
)
