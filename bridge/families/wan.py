"""Wan 2.1 and 2.2 and their relatives: self- and cross-attention over all frames.

VACE's further blocks, and the attention to sound and to faces, work for theirs and are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.wan.model import (
    CameraWanModel,
    HumoWanModel,
    SCAIL2WanModel,
    SCAILWanModel,
    VaceWanModel,
    WanI2VCrossAttention,
    WanModel,
    WanModel_S2V,
)
from comfy.ldm.wan.model_animate import AnimateWanModel
from comfy.model_base import (
    WAN21,
    WAN21_SCAIL,
    WAN21_SCAIL2,
    WAN22,
    WAN22_S2V,
    WAN21_Camera,
    WAN21_FlowRVS,
    WAN21_HuMo,
    WAN21_Vace,
    WAN22_Animate,
)
from torch import Tensor

from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs, comfy_class
from .joint import TokenOrder, patches
from .video import Watched, separate_order, video_reader

_MOTION = (
    (1, 2),
    (2, 4),
    (4, 8),
)  # S2V packs frames that were before: frames and rows (as columns) of a token, nearest first


def attentions(model: WanModel) -> Iterator[Watched]:
    """Image-to-video models look at the start picture first and then, with a second softmax, at the text."""
    for index, block in enumerate(model.blocks):
        layer = f"block.{index}"
        yield Watched(block.self_attn, layer, "self")
        yield Watched(block.cross_attn, layer, "cross", 2 if isinstance(block.cross_attn, WanI2VCrossAttention) else 1)


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[reference pictures of Fun and SCAIL, video, what `time_dim_concat` adds, other references, poses]."""
    model, conditions = inputs.diffusion, inputs.conditions
    patch = model.patch_size[1]
    reference, behind = conditions.get("reference_latent"), [conditions.get("time_dim_concat")]
    before = 0
    if isinstance(model, SCAILWanModel):
        before = _tokens(reference, patch)
        behind.append(conditions.get("pose_latents"))
    elif isinstance(model, HumoWanModel | WanModel_S2V):
        behind.append(reference)
    elif reference is not None and model.ref_conv is not None:
        before = (reference.shape[-2] // patch) * (reference.shape[-1] // patch)
    if comfy_class(model) is WanModel:  # Bernini's references and videos to edit
        behind += conditions.get("context_latents") or ()
    others = sum(_tokens(latent, patch) for latent in behind) + _motion_tokens(inputs)
    return separate_order(inputs, patches(inputs.latent, patch), inputs.frames, before, others)


def _tokens(latent: Tensor | None, patch: int) -> int:
    """How many tokens (B, C, F, h, w) has; 0 for none."""
    if latent is None:
        return 0
    height, width = patches((latent.shape[-2], latent.shape[-1]), patch)
    return int(latent.shape[-3]) * height * width


def _motion_tokens(inputs: ModelInputs) -> int:
    latent = inputs.conditions.get("reference_motion")
    if latent is None or not isinstance(inputs.diffusion, WanModel_S2V):
        return 0
    height, width = latent.shape[-2:]
    kept = zip(_MOTION, inputs.diffusion.frame_packer.zip_frame_buckets, strict=True)
    return sum((frames // deep) * (height // side) * (width // side) for (deep, side), frames in kept)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """UMT5's tokens, padded to 512 at least."""
    return one_encoder(counts, "umt5xxl", conditioning["cross_attn"].shape[1])


# Two relatives are not read: WanDancer looks at music, and CausalAR works on a few frames at a time.
WAN = Family(
    "Wan 2.1 and 2.2",
    (
        WanModel,
        VaceWanModel,
        CameraWanModel,
        AnimateWanModel,
        HumoWanModel,
        SCAILWanModel,
        SCAIL2WanModel,
        WanModel_S2V,
    ),
    (
        WAN21,
        WAN21_Vace,
        WAN21_Camera,
        WAN21_FlowRVS,
        WAN21_HuMo,
        WAN21_SCAIL,
        WAN21_SCAIL2,
        WAN22,
        WAN22_Animate,
        WAN22_S2V,
    ),
    video_reader(attentions, order_of),
    (),
    text_layout,
)
