"""Lumina 2 and Z-Image: joint attention, [text, padding, image, padding], after layers that refine each by itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.lumina.model import JointTransformerBlock, NextDiT, NextDiTPixelSpace
from comfy.model_base import Lumina2, ZImagePixelSpace

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, joint_reader, patches

_ENCODERS = ("gemma2_2b", "gemma3_4b", "qwen3_4b", "l")  # the last one: the demo transformer's


def order_of(inputs: ModelInputs) -> TokenOrder:
    """Z-Image pads text and image to whole multiples; the padding is read by the model and belongs to neither.

    The layers that refine the image alone are self-attention; where they read padding too, they are left out.
    """
    model = inputs.diffusion
    grid = patches(inputs.latent, model.patch_size)
    multiple, pixels = model.pad_tokens_multiple or 1, grid[0] * grid[1]
    start = _padded(inputs.text, multiple)
    image = slice(start, start + pixels)
    length = start + _padded(pixels, multiple)
    return TokenOrder(grid, slice(0, inputs.text), image, length, text_calls=len(model.context_refiner))


def _padded(tokens: int, multiple: int) -> int:
    return -(-tokens // multiple) * multiple


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Gemma's tokens for Lumina 2; Qwen's with its template for Z-Image."""
    if conditioning.get("reference_latents"):
        raise CountError(
            "Z-Image with a reference image (omni, edit) lays its tokens out in an order that this pack does not know. Remove "
            "the reference from this conditioning; Count Prompt, Count Search and Count Check work with it"
        )
    encoder = next((key for key in _ENCODERS if key in counts.lengths), _ENCODERS[0])
    return one_encoder(counts, encoder, conditioning["cross_attn"].shape[1])


LUMINA = Family(
    "Lumina 2 and Z-Image",
    (NextDiT, NextDiTPixelSpace),
    (Lumina2, ZImagePixelSpace),
    joint_reader(order_of),
    (JointTransformerBlock,),
    text_layout,
    unread={"NewBie": lambda diffusion: getattr(diffusion, "clip_text_pooled_proj", None) is not None},
)
