"""Text encoders that several families share."""

from __future__ import annotations

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout, one_encoder

_OWN_TEMPLATE = ("<|im_start|>", "<|start_header_id|>")


def behind_template(counts: Counts, encoder: str, length: int, cut: int) -> TextLayout:
    """The tokens of a language model that reads the prompt within a template.

    Args:
        length: T, of the context that the model gets.
        cut: how many tokens in front ComfyUI's text encoder cuts off.

    Raises:
        CountError: the prompt brings a template of its own, T is too short, or Count Prompt read another encoder.
    """
    if counts.prompt.startswith(_OWN_TEMPLATE):
        raise CountError("the prompt brings its own template for Qwen; write the prompt only, the template is added")
    return one_encoder(counts, encoder, length, cut=cut)
