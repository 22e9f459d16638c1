"""Wan 2.1 and 2.2: self- and cross-attention over all frames. VACE's further blocks work for theirs and are not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.wan.model import CameraWanModel, VaceWanModel, WanI2VCrossAttention, WanModel
from comfy.model_base import WAN21, WAN22, WAN21_Camera, WAN21_FlowRVS, WAN21_Vace

from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, patches
from .video import Watched, separate_order, video_reader


def attentions(model: WanModel) -> Iterator[Watched]:
    """Image-to-video models look at the start picture first and then, with a second softmax, at the text."""
    for index, block in enumerate(model.blocks):
        layer = f"block.{index}"
        yield Watched(block.self_attn, layer, "self")
        yield Watched(block.cross_attn, layer, "cross", 2 if isinstance(block.cross_attn, WanI2VCrossAttention) else 1)


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[reference picture of Fun models, video, frames that `time_dim_concat` adds]."""
    model, conditions = inputs.diffusion, inputs.conditions
    patch = model.patch_size[1]
    reference, more = conditions.get("reference_latent"), conditions.get("time_dim_concat")
    before = behind = 0
    if reference is not None and model.ref_conv is not None:
        before = (reference.shape[-2] // patch) * (reference.shape[-1] // patch)
    if more is not None:
        height, width = patches((more.shape[-2], more.shape[-1]), patch)
        behind = more.shape[-3] * height * width
    return separate_order(inputs, patches(inputs.latent, patch), inputs.frames, before, behind)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """UMT5's tokens, padded to 512 at least."""
    return one_encoder(counts, "umt5xxl", conditioning["cross_attn"].shape[1])


# Its relatives are not read: S2V hands no options to its attention, so that no override sees it. HuMo, Animate and SCAIL set
# reference pictures and poses among the frames, WanDancer looks at music, and CausalAR works on a few frames at a time.
WAN = Family(
    "Wan 2.1 and 2.2",
    (WanModel, VaceWanModel, CameraWanModel),
    (WAN21, WAN21_Vace, WAN21_Camera, WAN21_FlowRVS, WAN22),
    video_reader(attentions, order_of),
    (),
    text_layout,
)
