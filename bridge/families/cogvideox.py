"""CogVideoX 1 and 1.5: joint attention, [text, video]; a token of 1.5 stands for two frames of the latent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from comfy.ldm.cogvideo.model import CogVideoXTransformer3DModel
from comfy.model_base import CogVideoX

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout, one_encoder
from .family import Family, ModelInputs
from .joint import TokenOrder, patches
from .video import Watched, video_reader


def attentions(model: CogVideoXTransformer3DModel) -> Iterator[Watched]:
    """The blocks themselves, which compute the attention."""
    for index, block in enumerate(model.blocks):
        yield Watched(block, f"block.{index}", "joint")


def order_of(inputs: ModelInputs) -> TokenOrder:
    """The text's padding is read as the model reads it.

    Raises:
        CountError: 1.5 is shown a part of the frames at a time.
    """
    together = inputs.diffusion.patch_size_t or 1
    if together > 1 and inputs.options.get("context_window") is not None:
        raise CountError(
            "CogVideoX 1.5 takes the frames of a latent two by two, and context windows may part them: remove the node that "
            "makes context windows"
        )
    grid = patches(inputs.latent, inputs.diffusion.patch_size)
    frames = -(-inputs.frames // together)
    length = inputs.text + frames * grid[0] * grid[1]
    return TokenOrder(grid, slice(0, inputs.text), slice(inputs.text, length), length, frames=frames)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """T5's tokens."""
    return one_encoder(counts, "t5xxl", conditioning["cross_attn"].shape[1])


COGVIDEOX = Family(
    "CogVideoX", (CogVideoXTransformer3DModel,), (CogVideoX,), video_reader(attentions, order_of), (), text_layout
)
