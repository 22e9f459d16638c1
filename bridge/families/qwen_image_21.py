"""Qwen-Image 2.1 (ComfyUI 0.37 and newer): block-causal attention, [text, reference images, image].

The image asks by an attention call of its own about all that is in front of it and itself. What is in front looks at what
is before it only, and ComfyUI keeps its keys from one step to the next.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, cast

try:
    from comfy.ldm.qwen_image21.model import QwenImage21Transformer2DModel
    from comfy.model_base import QwenImage21
except ImportError:  # ComfyUI 0.30 to 0.36 has no such model
    _DIFFUSION: tuple[type, ...] = ()
    _MODELS: tuple[type, ...] = ()
else:
    _DIFFUSION, _MODELS = (QwenImage21Transformer2DModel,), (QwenImage21,)

from ...core.errors import CountError
from ...core.prompts import Counts, TextLayout
from .family import FOR_GRADIENT, Family, ModelInputs, Record
from .flux import OVERWRITTEN, reference_tokens
from .joint import JointReader, TokenOrder, text_first
from .text import behind_template

_CACHE = "qwen_image21_cache"  # ComfyUI's name in transformer_options for how it keeps keys
_TEMPLATE = 14  # tokens of the system's turn in front of the prompt's; ComfyUI's text encoder cuts them off


class PrefixReader(JointReader):
    """Has ComfyUI compute what is in front of the image anew in a pass for a gradient, which knows calls by their number."""

    @contextmanager
    def begin(self, inputs: ModelInputs, record: Record) -> Iterator[None]:
        if inputs.options.get(FOR_GRADIENT):
            cast(dict[str, Any], inputs.options)[_CACHE] = {"device": "off"}
        with super().begin(inputs, record):
            yield


def order_of(inputs: ModelInputs) -> TokenOrder:
    """References come between text and image, where none stands within the text."""
    order, references = text_first(inputs, 1), reference_tokens(inputs, 1)
    start, end = order.image.start + references, order.image.stop + references
    return replace(order, image=slice(start, end), length=end, image_calls=False)


def text_layout(counts: Counts, conditioning: Mapping[str, Any]) -> TextLayout:
    """Qwen's tokens behind the system's turn."""
    if conditioning.get("image_slots") and conditioning.get("reference_latents"):
        raise CountError(
            "this conditioning has its reference images within the text, where their order is not known here. Encode the "
            "prompt with Count Prompt and add the images with Reference Latent"
        )
    return behind_template(counts, "qwen3vl_8b", conditioning["cross_attn"].shape[1], _TEMPLATE)


# No blocks to recompute: the tested ComfyUI does not have this class, so that a second run of a block cannot be tried.
QWEN_IMAGE_21 = Family(
    "Qwen-Image 2.1",
    _DIFFUSION,
    _MODELS,
    lambda _: PrefixReader(order_of),
    (),
    text_layout,
    overwritten=OVERWRITTEN,
)
