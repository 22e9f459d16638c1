"""Qwen-Image and Qwen-Image-Edit: joint attention, [text, image, reference images]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel, QwenImageTransformerBlock
from comfy.model_base import QwenImage

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .flux import reference_tokens
from .joint import TokenOrder, joint_reader, text_first

_ENCODER = "qwen25_7b"
_TEMPLATE = 34  # tokens of the template in front of the prompt; ComfyUI's text encoder cuts them off
_OWN_TEMPLATE = ("<|im_start|>", "<|start_header_id|>")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """The picture comes first among the images; those of an edit follow it."""
    patch = inputs.diffusion.patch_size
    return text_first(inputs, patch, reference_tokens(inputs, patch))


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Qwen's tokens behind the template."""
    if counts.prompt.startswith(_OWN_TEMPLATE):
        raise CountError("the prompt brings its own template for Qwen; write the prompt only, the template is added")
    return one_encoder(counts, _ENCODER, conditioning["cross_attn"].shape[1], cut=_TEMPLATE)


QWEN_IMAGE = Family(
    "Qwen-Image",
    (QwenImageTransformer2DModel,),
    (QwenImage,),
    joint_reader(order_of),
    (QwenImageTransformerBlock,),
    text_layout,
)
