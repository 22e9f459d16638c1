"""Stable Diffusion's U-Nets: self- and cross-attention, on grids that halve with depth."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel
from comfy.model_base import (
    SD21UNCLIP,
    SDXL,
    BaseModel,
    Lotus,
    SD15_instructpix2pix,
    SD_X4Upscaler,
    SDXL_instructpix2pix,
    SDXLRefiner,
)
from torch import Tensor

from ...core.attention import AttentionCall, Grid, Kind, grid_of
from ...core.prompts import Counts, TextLayout, one_encoder, shared_encoder
from .family import Family, ModelInputs, Record


def layer_name(options: Mapping[str, Any]) -> str:
    """Name of the layer that runs, such as "output.3.0", from what the U-Net writes into transformer_options."""
    block = options.get("block", ("model", 0))
    return f"{block[0]}.{block[1]}.{options.get('block_index', 0)}"


class UNetReader:
    """Reads grids from token counts, and kinds from lengths and order."""

    one_grid = False

    def __init__(self, latent: Grid) -> None:
        self._latent = latent
        self._text: int | None = None
        self._last: tuple[str, Kind] = ("", "cross")

    @contextmanager
    def begin(self, inputs: ModelInputs, record: Record) -> Iterator[None]:
        self._latent, self._text, self._last = inputs.latent, inputs.text or None, ("", "cross")
        yield

    def read(
        self, queries: Tensor, keys: Tensor, bias: Tensor | None, options: Mapping[str, Any]
    ) -> AttentionCall | None:
        name, pixels = layer_name(options), queries.shape[2]
        if self._last == (name, "cross"):
            return None  # some other node's: a block of the model's has two attentions
        kind = self._kind(name, pixels, keys.shape[2])
        self._last = (name, kind)
        grid = self._grid(pixels, options)
        columns = pixels if kind == "self" else self._text or keys.shape[2]
        if grid is None or keys.shape[2] < columns or queries.shape[0] != keys.shape[0]:
            return None  # another node merges or cuts up the tokens
        # Other nodes append pictures of theirs, as more words (IPAdapter) or as more pixels: what is read is how
        # attention is shared out among the prompt's words, and among the picture's pixels.
        keys, bias = keys[:, :, :columns], bias if bias is None or bias.shape[-1] == 1 else bias[..., :columns]
        return AttentionCall(name, kind, grid, queries, keys, bias=bias)

    def _kind(self, name: str, pixels: int, keys: int) -> Kind:
        """From the order of a block's two attentions; but another node may have replaced the first one."""
        if self._last == (name, "self"):
            return "cross"
        if keys == pixels:
            return "self"
        return "cross" if keys == self._text or keys % pixels else "self"

    def _grid(self, tokens: int, options: Mapping[str, Any]) -> Grid | None:
        shape = options.get("activations_shape")
        if shape is None:
            return grid_of(tokens, self._latent)
        # Tiles and merged tokens may be as many as the pixels of a coarser layer, and are none.
        return (int(shape[-2]), int(shape[-1])) if shape[-2] * shape[-1] == tokens else None


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """The tokens of the one encoder, or of SDXL's two, whose features lie side by side, token by token."""
    return one_encoder(counts, shared_encoder(counts, tuple(counts.tokens)), conditioning["cross_attn"].shape[1])


UNET = Family(
    "Stable Diffusion 1.5, 2.1, SDXL, their fine-tunes and the Shapes demo model",
    (UNetModel,),
    (BaseModel, SD21UNCLIP, SDXL, SDXLRefiner, SD15_instructpix2pix, SDXL_instructpix2pix, SD_X4Upscaler, Lotus),
    UNetReader,
    (BasicTransformerBlock,),
    text_layout,
)
