"""Krea 2: joint attention, [text, image, reference images], after layers that refine the text by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.krea2.model import SingleStreamBlock, SingleStreamDiT
from comfy.model_base import Krea2

from ...core.prompts import Counts, TextLayout
from .family import Family, ModelInputs
from .flux import reference_tokens
from .joint import TokenOrder, joint_reader, text_first
from .text import behind_template

_TEMPLATE = 34  # tokens of the template in front of the prompt; ComfyUI's text encoder cuts them off


def order_of(inputs: ModelInputs) -> TokenOrder:
    """References are read where the model or the conditioning says in what way."""
    model, conditions = inputs.diffusion, inputs.conditions
    reads_them = conditions.get("ref_latents_method", model.default_ref_method) is not None
    fusion = model.txtfusion
    return text_first(
        inputs,
        model.patch,
        reference_tokens(inputs, model.patch) if reads_them else 0,
        text_calls=len(fusion.layerwise_blocks) + len(fusion.refiner_blocks),
    )


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Qwen's tokens behind the template."""
    return behind_template(counts, "qwen3vl_4b", conditioning["cross_attn"].shape[1], _TEMPLATE)


KREA_2 = Family("Krea 2", (SingleStreamDiT,), (Krea2,), joint_reader(order_of), (SingleStreamBlock,), text_layout)
