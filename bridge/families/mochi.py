"""Mochi: joint attention, [video, text]; the padding of the text is not read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from comfy.ldm.genmo.joint_model.asymm_models_joint import AsymmDiTJoint
from comfy.model_base import GenmoMochi

from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, patches
from .video import Watched, video_reader

_MAX_TOKENS = 256  # of a text that comes without a mask


def attentions(model: AsymmDiTJoint) -> Iterator[Watched]:
    """One in each block."""
    for index, block in enumerate(model.blocks):
        yield Watched(block.attn, f"block.{index}", "joint")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[video, the part of the text that is not padding]."""
    grid = patches(inputs.latent, inputs.diffusion.patch_size)
    video = inputs.frames * grid[0] * grid[1]
    length = video + min(inputs.text, int(inputs.conditions.get("num_tokens", _MAX_TOKENS)))
    return TokenOrder(grid, slice(video, length), slice(0, video), length, frames=inputs.frames)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens, without their padding."""
    text, mask = conditioning["cross_attn"], conditioning.get("attention_mask")
    layout = one_encoder(counts, "t5xxl", text.shape[1])
    length = min(text.shape[1], _MAX_TOKENS if mask is None else max(1, int(mask.sum())))
    return replace(layout, length=length, own=min(layout.own, length))


MOCHI = Family("Mochi", (AsymmDiTJoint,), (GenmoMochi,), video_reader(attentions, order_of), (), text_layout)
