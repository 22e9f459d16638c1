"""Lumina 2, NewBie and Z-Image: joint attention, [text, reference images, image], after layers that refine each by itself."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from comfy.ldm.lumina.model import JointTransformerBlock, NextDiT, NextDiTPixelSpace
from comfy.model_base import Lumina2, ZImagePixelSpace

from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, joint_reader, patches

_ENCODERS = ("gemma2_2b", "gemma3_4b", "gemma", "qwen3_4b", "l")  # the last one: the demo transformer's


def order_of(inputs: ModelInputs) -> TokenOrder:
    """Z-Image pads every text and image to multiples of `pad_tokens_multiple`; the model reads the padding, too.

    With reference images (omni, edit) the order is [their texts, text, other texts, what an image encoder sees in them, they
    themselves, image]. One multiple of padding stands for the text of a reference that has none, and for an image that the
    encoder has not seen. The layers that refine the image alone are self-attention; where they read padding or references
    too, they are left out.
    """
    model, conditions = inputs.diffusion, inputs.conditions
    multiple = model.pad_tokens_multiple or 1

    def padded(*tokens: int) -> int:
        return sum(-(-one // multiple) * multiple for one in tokens)

    grid = patches(inputs.latent, model.patch_size)
    references = [_area(patches(latent.shape[-2:], model.patch_size)) for latent in conditions.get("ref_latents") or ()]
    between, text_calls = padded(*references), len(model.context_refiner)
    texts = [text.shape[1] for text in conditions.get("ref_contexts") or ()] if references else []
    texts += [multiple] * (len(references) - len(texts))
    if references and model.siglip_embedder is not None:
        text_calls += len(model.siglip_refiner)
        seen = [_area(features.shape[1:3]) for features in conditions.get("siglip_feats") or ()][: len(references)]
        unseen = len(references) - len(seen) + 1  # and the image itself
        between += padded(*seen) + unseen * multiple
    start = padded(*texts[: len(references)])
    image = start + padded(inputs.text, *texts[len(references) :]) + between
    return TokenOrder(
        grid,
        slice(start, start + inputs.text),
        slice(image, image + _area(grid)),
        image + padded(_area(grid)),
        text_calls,
    )


def _area(grid: Sequence[int]) -> int:
    return grid[0] * grid[1]


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Gemma's tokens for Lumina 2 and NewBie, whose other text encoder gives one pooled vector; Qwen's for Z-Image."""
    encoder = next((key for key in _ENCODERS if key in counts.lengths), _ENCODERS[0])
    return one_encoder(counts, encoder, conditioning["cross_attn"].shape[1])


LUMINA = Family(
    "Lumina 2, NewBie and Z-Image",
    (NextDiT, NextDiTPixelSpace),
    (Lumina2, ZImagePixelSpace),
    joint_reader(order_of),
    (JointTransformerBlock,),
    text_layout,
)
