"""The table of architectures."""

from __future__ import annotations

from typing import Any

from ...core.errors import CountError
from .chroma import CHROMA
from .family import Family
from .flux import FLUX
from .hidream import HIDREAM
from .lumina import LUMINA
from .pixart import PIXART
from .qwen_image import QWEN_IMAGE
from .sd3 import SD3
from .unet import UNET

FAMILIES = (UNET, SD3, PIXART, FLUX, CHROMA, QWEN_IMAGE, LUMINA, HIDREAM)


def family_of(model: Any, node: str) -> Family:
    """The family of a MODEL; one whose attention cannot be read is refused before anything is sampled.

    Raises:
        CountError: the model is of another family, or a node gave none.
    """
    if model is None:
        raise CountError(f"{node} got no model; connect a loader's MODEL output")
    for family in FAMILIES:
        if family.has(model.model):
            return family
    name, known = type(model.model).__name__, "; ".join(family.name for family in FAMILIES)
    raise CountError(f"{node} cannot read the attention of this model ({name}). It works with {known}")
