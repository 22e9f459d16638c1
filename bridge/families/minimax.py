"""MiniMax H3: joint attention, [text, first and last frame or references, sound, video]."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.minimax.model import MiniMaxH3Model
from comfy.model_base import MiniMaxH3

from ...core.prompts import Counts, TextLayout, TokenSpan, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, patches
from .video import Watched, video_reader

_ENCODER = "qwen3vl_32b"
_PICTURE = 0  # in the tags that the text encoder gives: a token of a picture


def attentions(model: MiniMaxH3Model) -> Iterator[Watched]:
    """One in each block; the text was refined before sampling."""
    for index, block in enumerate(model.blocks):
        yield Watched(block.attn, f"block.{index}", "joint")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """As ComfyUI lays it out once a run."""
    layout = inputs.conditions["minimax_payload"]["layout"]
    places = {kind: slice(start, end) for start, end, kind in layout.segments}
    grid = patches(inputs.latent, inputs.diffusion.patch_size[-1])
    return TokenOrder(grid, places["text"], places["video"], layout.seq_len, frames=inputs.frames)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Qwen's tokens without a template. Pictures stand in front of the prompt, each with a label."""
    length, tags = conditioning["cross_attn"].shape[1], conditioning.get("minimax_token_tags")
    layout = one_encoder(counts, _ENCODER, length)
    pictures = [] if tags is None else (tags.flatten() == _PICTURE).nonzero().flatten().tolist()
    if not pictures:
        return layout
    front = pictures[-1] + 1
    same = length - front == layout.own
    return TextLayout(length, length if same else layout.own, (TokenSpan(_ENCODER, front),))


MINIMAX_H3 = Family("MiniMax H3", (MiniMaxH3Model,), (MiniMaxH3,), video_reader(attentions, order_of), (), text_layout)
