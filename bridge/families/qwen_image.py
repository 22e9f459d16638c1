"""Qwen-Image, Qwen-Image-Edit, and Mage-Flow, which has the same layers: joint attention, [text, image, reference images]."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from comfy.ldm.mage_flow.model import MageFlowTransformer2DModel
from comfy.ldm.qwen_image.model import QwenImageTransformer2DModel, QwenImageTransformerBlock
from comfy.model_base import MageFlow, QwenImage

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout
from .family import Family, ModelInputs
from .flux import reference_tokens
from .joint import TokenOrder, joint_reader, text_first
from .text import behind_template

_TEMPLATE = 34  # tokens of the template in front of the prompt; ComfyUI's text encoder cuts them off


def order_of(inputs: ModelInputs) -> TokenOrder:
    """The picture comes first among the images; those of an edit follow it."""
    if inputs.frames > 1:
        raise CountError(
            "Qwen-Image-Layered makes several layers of an image at once, and its attention is not that of one image. Remove "
            "the node from this model; Count Prompt and Count Check work with it"
        )
    patch = inputs.diffusion.patch_size
    return text_first(inputs, patch, reference_tokens(inputs, patch))


def text_layout(counts: Counts, conditioning: Mapping[str, Any], encoder: str = "qwen25_7b") -> TextLayout:
    """Qwen's tokens behind the template, which both models have."""
    return behind_template(counts, encoder, conditioning["cross_attn"].shape[1], _TEMPLATE)


_BLOCKS = (QwenImageTransformerBlock,)
QWEN_IMAGE = Family(
    "Qwen-Image",
    (QwenImageTransformer2DModel,),
    (QwenImage,),
    joint_reader(order_of),
    _BLOCKS,
    text_layout,
)
MAGE_FLOW = Family(
    "Mage-Flow",
    (MageFlowTransformer2DModel,),
    (MageFlow,),
    joint_reader(order_of),
    _BLOCKS,
    partial(text_layout, encoder="qwen3vl_4b"),
)
