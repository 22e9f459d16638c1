"""The table of architectures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.errors import CountError
from .chroma import CHROMA
from .cogvideox import COGVIDEOX
from .cosmos import ANIMA, COSMOS, COSMOS_PREDICT2
from .family import Family, comfy_class
from .flux import FLUX
from .hidream import HIDREAM
from .hunyuan_video import HUNYUAN_IMAGE, HUNYUAN_VIDEO
from .krea import KREA_2
from .ltx import LTX
from .lumina import LUMINA
from .minimax import MINIMAX_H3
from .mochi import MOCHI
from .pixart import PIXART
from .qwen_image import MAGE_FLOW, QWEN_IMAGE
from .qwen_image_21 import QWEN_IMAGE_21
from .sd3 import SD3
from .unet import UNET
from .wan import WAN

FAMILIES = (UNET, SD3, PIXART, FLUX, CHROMA, QWEN_IMAGE, QWEN_IMAGE_21, LUMINA, HIDREAM, KREA_2, MAGE_FLOW)
# Read over all frames at once, and without gradients. HunyuanImage and Anima are here since they share the architecture of a
# video model; ComfyUI's has no way back in Anima's.
VIDEO_FAMILIES = (WAN, HUNYUAN_VIDEO, HUNYUAN_IMAGE, LTX, MINIMAX_H3, MOCHI, COGVIDEOX, COSMOS, COSMOS_PREDICT2, ANIMA)
RECORDED_FAMILIES = (*FAMILIES, *VIDEO_FAMILIES)


def family_of(model: Any, node: str, families: Sequence[Family] = FAMILIES) -> Family:
    """The family of a MODEL; one whose attention cannot be read is refused before anything is sampled.

    Args:
        model: ComfyUI's MODEL.
        node: name of the node that errors speak of.
        families: those that the node works with.

    Raises:
        CountError: the model is of another family, or a node gave none.
    """
    if model is None:
        raise CountError(f"{node} got no model; connect a loader's MODEL output")
    for family in families:
        if family.has(model.model):
            return family
    known = "; ".join(family.name for family in families)
    raise CountError(
        f"{node} cannot read the attention of this model ({_name_of(model.model)}). It works with {known}. Count Prompt, Count "
        "Search and Count Check work with every model"
    )


def _name_of(model: Any) -> str:
    """What a message calls a model that is not read: its class says it, unless it is one of a family's own classes."""
    named = next((name for family in RECORDED_FAMILIES if (name := family.unread_name(model)) is not None), None)
    diffusion = getattr(model, "diffusion_model", None)
    if named is None and comfy_class(model) is not None and comfy_class(diffusion) is None:
        return f"{type(diffusion).__name__}: a loader wraps the diffusion model of {type(model).__name__} in it"
    return named or type(model).__name__
