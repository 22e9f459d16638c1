"""LTX-Video and LTX-2: self- and cross-attention over all frames, one token for each cell of the latent.

LTX-2 works on sound, too, by attentions of its own, which are not read.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.lightricks.av_model import LTXAVModel
from comfy.ldm.lightricks.model import LTXVModel
from comfy.model_base import LTXAV, LTXV
from torch import Tensor

from ...core.prompts import Counts, TextLayout, TokenSpan, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder
from .video import Watched, separate_order, video_reader

_GEMMA = "gemma3_12b"
_SHORTEST, _REGISTERS = 1024, 128  # LTX-2 fills its text up with learnt tokens: to this length, and to a multiple


def attentions(model: LTXVModel) -> Iterator[Watched]:
    """Two in each block."""
    for index, block in enumerate(model.transformer_blocks):
        yield Watched(block.attn1, f"block.{index}", "self")
        yield Watched(block.attn2, f"block.{index}", "cross")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[video, guides]: guide pictures are frames at the end of the latent, which are cut off after sampling.

    `keyframe_idxs` is (B, 3, tokens of all guides, 2). Those that the mask has below 0, between the pixels of a guide of lower
    resolution, are not among the model's tokens.
    """
    height, width = inputs.latent
    guides: Tensor | None = inputs.conditions.get("keyframe_idxs")
    tokens = 0 if guides is None else int(guides.shape[2])
    mask: Tensor | None = inputs.conditions.get("denoise_mask")
    left_out = 0 if mask is None or not tokens else int((mask[0] < 0).any(0).sum())
    return separate_order(inputs, inputs.latent, inputs.frames - tokens // (height * width), behind=tokens - left_out)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens, padded to 128 at least, where the padding is masked; Gemma's for LTX-2."""
    length = conditioning["cross_attn"].shape[1]
    if _GEMMA not in counts.lengths:
        return one_encoder(counts, "t5xxl", length)
    own = one_encoder(counts, _GEMMA, length).own
    filled = -(-max(length, _SHORTEST) // _REGISTERS) * _REGISTERS
    return TextLayout(filled, filled if length in (own, filled) else own, (TokenSpan(_GEMMA, 0),))


LTX = Family(
    "LTX-Video and LTX-2",
    (LTXVModel, LTXAVModel),
    (LTXV, LTXAV),
    video_reader(attentions, order_of),
    (),
    text_layout,
)
