"""HunyuanVideo 1 and 1.5, HunyuanImage 2.1: joint attention in double and single blocks.

[start picture's features, lettering (1.5), text, lettering (HunyuanImage), reference frame, video].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.hunyuan_video.model import HunyuanVideo
from comfy.model_base import (
    HunyuanImage21,
    HunyuanVideo15,
    HunyuanVideo15_SR_Distilled,
    HunyuanVideoI2V,
    HunyuanVideoSkyreelsI2V,
)
from comfy.model_base import HunyuanVideo as HunyuanVideoBase
from torch import Tensor

from ...core.prompts import Counts, TextLayout, one_encoder
from . import qwen_image
from .family import Family, ModelInputs
from .joint import TokenOrder, patches
from .text import behind_template
from .video import Watched, video_reader

_LLAMA, _LLAMA_TEMPLATE = "llama", 95  # tokens in front of the prompt, which ComfyUI's text encoders cut off
_QWEN, _QWEN_TEMPLATE = "qwen25_7b", 98


def attentions(model: HunyuanVideo) -> Iterator[Watched]:
    """The blocks themselves: double ones compute the attention outside of their attention modules."""
    for kind, blocks in (("double", model.double_blocks), ("single", model.single_blocks)):
        for index, block in enumerate(blocks):
            yield Watched(block, f"{kind}.{index}", "joint")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """Reference frames come before the video; pictures and lettering before or behind the text, all that before the video."""
    model, conditions = inputs.diffusion, inputs.conditions
    patch = model.patch_size[-1]
    grid = patches(inputs.latent, patch)
    vision, lettering = (_tokens(conditions.get(name)) for name in ("clip_fea", "txt_byt5"))
    if model.byt5_in is None:
        lettering = 0
    text = vision + (lettering if model.use_cond_type_embedding else 0)
    start = vision + lettering + inputs.text + _reference_tokens(conditions.get("ref_latent"), patch)
    end = start + inputs.frames * grid[0] * grid[1]
    return TokenOrder(grid, slice(text, text + inputs.text), slice(start, end), end, frames=inputs.frames)


def _tokens(features: Tensor | None) -> int:
    return 0 if features is None else int(features.shape[1])


def _reference_tokens(latent: Tensor | None, patch: int) -> int:
    if latent is None:
        return 0
    height, width = patches((latent.shape[-2], latent.shape[-1]), patch)
    return int(latent.shape[-3]) * height * width


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Llama's tokens behind the template for 1, Qwen's for 1.5; CLIP's enter 1 as one pooled vector."""
    length = conditioning["cross_attn"].shape[1]
    if _QWEN not in counts.lengths:
        return one_encoder(counts, _LLAMA, length, cut=_LLAMA_TEMPLATE)
    return behind_template(counts, _QWEN, length, _QWEN_TEMPLATE)


_READER = video_reader(attentions, order_of)

HUNYUAN_VIDEO = Family(
    "HunyuanVideo 1 and 1.5",
    (HunyuanVideo,),
    (HunyuanVideoBase, HunyuanVideoI2V, HunyuanVideoSkyreelsI2V, HunyuanVideo15, HunyuanVideo15_SR_Distilled),
    _READER,
    (),
    text_layout,
)
HUNYUAN_IMAGE = Family("HunyuanImage 2.1", (HunyuanVideo,), (HunyuanImage21,), _READER, (), qwen_image.text_layout)
