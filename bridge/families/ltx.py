"""LTX-Video: self- and cross-attention over all frames, one token for each cell of the latent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.lightricks.model import LTXVModel

from ...core.prompts.context import TextLayout, one_encoder
from ...core.prompts.counts import Counts
from .family import Family, ModelInputs
from .joint import TokenOrder
from .video import Watched, separate_order, video_reader


def attentions(model: LTXVModel) -> Iterator[Watched]:
    """Two in each block."""
    for index, block in enumerate(model.transformer_blocks):
        yield Watched(block.attn1, f"block.{index}", "self")
        yield Watched(block.attn2, f"block.{index}", "cross")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """[video, guides]: guide pictures are frames at the end of the latent, which are cut off after sampling."""
    height, width = inputs.latent
    guides = inputs.conditions.get("keyframe_idxs")
    behind = 0 if guides is None else int(guides.shape[-1])
    return separate_order(inputs, inputs.latent, inputs.frames - behind // (height * width), behind=behind)


def layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens, padded to 128 at least; the padding is masked."""
    return one_encoder(counts, "t5xxl", conditioning["cross_attn"].shape[1])


LTX = Family("LTX-Video", LTXVModel, video_reader(attentions, order_of), (), layout)
