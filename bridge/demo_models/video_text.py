"""The text encoder of the Shapes video model: the Shapes text encoder under the name that Wan's has."""

from __future__ import annotations

from functools import partial

from comfy import sd1_clip

from .text_encoder import MAX_LENGTH, WIDTH, ShapesClipModel

ENCODER = "umt5xxl"  # what reads a Wan model looks for the prompt's tokens under this key


class ShapesVideoTokenizer(sd1_clip.SD1Tokenizer):
    """CLIP's tokenizer in chunks of `MAX_LENGTH` tokens."""

    def __init__(self, embedding_directory=None, tokenizer_data=None):  # noqa: ANN001 - ComfyUI's signature
        short = partial(sd1_clip.SDTokenizer, max_length=MAX_LENGTH, embedding_size=WIDTH)
        super().__init__(embedding_directory, tokenizer_data or {}, tokenizer=short, name=ENCODER)


class ShapesVideoTextEncoder(sd1_clip.SD1ClipModel):
    """What CLIP objects hold as `cond_stage_model`."""

    def __init__(self, device="cpu", dtype=None, model_options=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(device, dtype, model_options or {}, clip_model=ShapesClipModel, name=ENCODER)
