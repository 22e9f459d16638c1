"""Flux 1 and 2: joint attention in double and single blocks, [text, image, reference images]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.flux.layers import DoubleStreamBlock, SingleStreamBlock
from comfy.ldm.flux.model import Flux
from comfy.model_base import Flux as FluxBase
from comfy.model_base import Flux2

from ...core.prompts import Counts, TextLayout, TokenSpan, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, joint_reader, patches, text_first

BLOCKS = (DoubleStreamBlock, SingleStreamBlock)
OVERWRITTEN = frozenset({"img_norm1", "img_norm2", "txt_norm1", "txt_norm2", "pre_norm"})
_FLUX_2 = ("mistral3_24b", "qwen3_4b", "qwen3_8b")  # of Dev, and of Klein 4B and 9B
_FLUX_2_TEXT = 512  # ComfyUI pads shorter contexts of Flux 2 on the left


def order_of(inputs: ModelInputs) -> TokenOrder:
    """The picture comes first among the images; Kontext's references follow it."""
    patch = inputs.diffusion.patch_size
    return text_first(inputs, patch, reference_tokens(inputs, patch))


def reference_tokens(inputs: ModelInputs, patch: int) -> int:
    """How many image tokens belong to reference latents, (B, C, h, w) or (B, C, F, h, w)."""
    tokens = 0
    for latent in inputs.conditions.get("ref_latents") or ():
        height, width = patches((latent.shape[-2], latent.shape[-1]), patch)
        tokens += height * width * (latent.shape[2] if latent.ndim == 5 else 1)
    return tokens


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens; CLIP's enter Flux 1 as one pooled vector. Flux 2 Dev reads Mistral's, Klein Qwen's with its template."""
    length = conditioning["cross_attn"].shape[1]
    encoder = next((key for key in _FLUX_2 if key in counts.lengths), None)
    if encoder is None:
        return one_encoder(counts, "t5xxl", length)
    layout = one_encoder(counts, encoder, length)
    padding = max(_FLUX_2_TEXT - length, 0)
    return TextLayout(length + padding, layout.own + padding, (TokenSpan(encoder, padding),))


def _is_ovis(diffusion: Any) -> bool:
    """Whether a Flux has what ComfyUI's loader knows Ovis-Image by."""
    parameters = getattr(diffusion, "params", None)
    return parameters is not None and bool(parameters.yak_mlp and parameters.txt_norm)


FLUX = Family(
    "Flux 1 and 2, Kontext",
    (Flux,),
    (FluxBase, Flux2),
    joint_reader(order_of),
    BLOCKS,
    text_layout,
    unread={"Ovis-Image": _is_ovis},
    overwritten=OVERWRITTEN,
)
