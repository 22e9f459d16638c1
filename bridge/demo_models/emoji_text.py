"""The text encoder of the Emoji models: that of the Shapes model with a longer table of words."""

from __future__ import annotations

from comfy import sd1_clip

from .text_encoder import CLIP_CONFIG, ShapesClipModel

VOCABULARY_SIZE = 160
EMOJI_CLIP_CONFIG = {**CLIP_CONFIG, "vocab_size": VOCABULARY_SIZE}


class EmojiClipModel(ShapesClipModel):
    """Knows the words of the Emoji scenes; all other words share one entry."""

    config = EMOJI_CLIP_CONFIG


class EmojiTextEncoder(sd1_clip.SD1ClipModel):
    """What CLIP objects hold as `cond_stage_model`."""

    def __init__(self, device="cpu", dtype=None, model_options=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(
            device=device, dtype=dtype, model_options=model_options or {}, clip_name="l", clip_model=EmojiClipModel
        )
