"""Chroma and Chroma Radiance, which works on pixels: Flux's blocks, [text, image]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.chroma.model import Chroma
from comfy.ldm.chroma_radiance.model import ChromaRadiance
from comfy.model_base import Chroma as ChromaBase
from comfy.model_base import ChromaRadiance as RadianceBase

from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .flux import BLOCKS, OVERWRITTEN
from .joint import TokenOrder, joint_reader, text_first


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[text, image]."""
    return text_first(inputs, inputs.diffusion.patch_size)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens."""
    return one_encoder(counts, "t5xxl", conditioning["cross_attn"].shape[1])


CHROMA = Family(
    "Chroma",
    (Chroma, ChromaRadiance),
    (ChromaBase, RadianceBase),
    joint_reader(order_of),
    BLOCKS,
    text_layout,
    overwritten=OVERWRITTEN,
)
