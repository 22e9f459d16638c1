"""HiDream: joint attention, [image, T5, Llama's last layer, one of Llama's layers for each block]."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from comfy.ldm.hidream.model import HiDreamImageBlock, HiDreamImageTransformer2DModel
from comfy.model_base import HiDream

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout, TokenSpan, too_short
from .family import Family, ModelInputs
from .joint import TokenOrder, joint_reader, patches

_T5, _LLAMA = "t5xxl", "llama"


def order_of(inputs: ModelInputs) -> TokenOrder:
    """Image first."""
    if inputs.conditions.get("image_cond") is not None:
        raise CountError(
            "HiDream E1 lays the image to edit beside the new one, so its attention is not that of one image. "
            "Remove the node from this model, or use HiDream I1"
        )
    grid = patches(inputs.latent, inputs.diffusion.patch_size)
    pixels = grid[0] * grid[1]
    length = pixels + inputs.text + 2 * inputs.conditions["encoder_hidden_states_llama3"].shape[-2]
    return TokenOrder(grid, slice(pixels, length), slice(0, pixels), length)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """A noun is at three places: in T5's tokens and twice in Llama's. ComfyUI puts zeros where an encoder is missing."""
    t5, llama = conditioning["cross_attn"], conditioning.get("conditioning_llama3")
    if llama is None:
        raise CountError(
            "the conditioning has no features of Llama; connect the CLIP that belongs to HiDream to Count Prompt"
        )
    length, llama_length = t5.shape[1], llama.shape[-2]
    wanted, wanted_llama = counts.lengths.get(_T5, 0), counts.lengths.get(_LLAMA, 0)
    stretches = []
    if 0 < wanted <= length and bool(t5.any()):
        stretches.append(TokenSpan(_T5, 0))
    if 0 < wanted_llama <= llama_length and bool(llama.any()):
        stretches += [TokenSpan(_LLAMA, length), TokenSpan(_LLAMA, length + llama_length)]
    if not stretches:
        raise too_short(length + llama_length, wanted + wanted_llama)
    total = length + 2 * llama_length
    same = length in (wanted, 0) and llama_length in (wanted_llama, 1)
    return TextLayout(total, total if same else 0, tuple(stretches))


HIDREAM = Family(
    "HiDream I1",
    (HiDreamImageTransformer2DModel,),
    (HiDream,),
    joint_reader(order_of),
    (HiDreamImageBlock,),
    text_layout,
)
