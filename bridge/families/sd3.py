"""Stable Diffusion 3 and 3.5: joint attention, [text, image]; 3.5 Medium adds image-only attention in its first blocks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.modules.diffusionmodules.mmdit import JointBlock, OpenAISignatureMMDITWrapper
from comfy.model_base import SD3 as SD3Base

from ...core.prompts import Counts, TextLayout, TokenSpan, shared_encoder, too_short
from .family import Family, ModelInputs
from .joint import TokenOrder, joint_reader, text_first

_CLIP, _T5 = ("g", "l"), "t5xxl"


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[text, image]. MMDiT does not say which block runs; its image-only calls are known by their length."""
    return text_first(inputs, inputs.diffusion.patch_size)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """CLIP's tokens, then T5's; a noun is at both places, and a place counts for nothing where its encoder is missing.

    Which encoders were loaded shows in the features: CLIP's are padded with zeros to the width of T5's.
    """
    context = conditioning["cross_attn"]
    length, upper = context.shape[1], context[..., context.shape[-1] // 2 :]
    clip = shared_encoder(counts, _CLIP)
    clip_length, t5_length = counts.lengths.get(clip, 0), counts.lengths.get(_T5, 0)
    stretches, end = [], 0
    if 0 < clip_length <= length and not bool(upper[:, :clip_length].any()):
        stretches.append(TokenSpan(clip, 0))
        end = clip_length
    if 0 < t5_length <= length - end and bool(upper[:, end : end + t5_length].any()):
        stretches.append(TokenSpan(_T5, end))
        end += t5_length
    if not stretches:
        raise too_short(length, clip_length + t5_length)
    return TextLayout(length, end, tuple(stretches))


SD3 = Family(
    "Stable Diffusion 3 and 3.5",
    (OpenAISignatureMMDITWrapper,),
    (SD3Base,),
    joint_reader(order_of),
    (JointBlock,),
    text_layout,
)
