"""Cosmos 1, Cosmos Predict2 and Anima: self- and cross-attention over all frames, of which Anima's pictures have one."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from comfy.ldm.anima.model import Anima
from comfy.ldm.cosmos.model import GeneralDIT
from comfy.ldm.cosmos.predict2 import MiniTrainDIT
from comfy.model_base import Anima as AnimaBase
from comfy.model_base import CosmosPredict2, CosmosVideo

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, patches
from .video import Watched, separate_order, video_reader

_ANIMA_TEXT = 512  # tokens to which Anima's text adapter pads


def attentions(model: GeneralDIT) -> Iterator[Watched]:
    """Cosmos 1 builds a block of parts, of which each is an attention or an MLP."""
    for index, block in enumerate(model.blocks.values()):
        for part in block.blocks:
            attention = getattr(part.block, "attn", None)
            if attention is not None:
                yield Watched(attention, f"block.{index}", "self" if attention.is_selfattn else "cross")


def predict2_attentions(model: MiniTrainDIT) -> Iterator[Watched]:
    """Two in each block."""
    for index, block in enumerate(model.blocks):
        yield Watched(block.self_attn, f"block.{index}", "self")
        yield Watched(block.cross_attn, f"block.{index}", "cross")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """The video alone; given frames are part of it."""
    model = inputs.diffusion
    frames = -(-inputs.frames // model.patch_temporal)
    return separate_order(inputs, patches(inputs.latent, model.patch_spatial), frames)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens, padded to 512 at least."""
    return one_encoder(counts, "t5xxl", conditioning["cross_attn"].shape[1])


def anima_text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens, each filled with what Qwen's features say of it, padded to 512 at least."""
    ids = conditioning.get("t5xxl_ids")
    if ids is None:
        raise CountError("the conditioning has no tokens of T5; connect the CLIP that belongs to Anima to Count Prompt")
    own = one_encoder(counts, "t5xxl", ids.shape[-1])
    length = max(own.length, _ANIMA_TEXT)
    return replace(own, length=length, own=length if own.length == own.own else own.own)


COSMOS = Family("Cosmos 1", (GeneralDIT,), (CosmosVideo,), video_reader(attentions, order_of), (), text_layout)
COSMOS_PREDICT2 = Family(
    "Cosmos Predict2", (MiniTrainDIT,), (CosmosPredict2,), video_reader(predict2_attentions, order_of), (), text_layout
)
ANIMA = Family(
    "Anima",
    (Anima,),
    (AnimaBase,),
    video_reader(predict2_attentions, order_of),
    (),
    anima_text_layout,
    moves_with_text=False,  # T5's tokens are the words, in an input of their own
)
