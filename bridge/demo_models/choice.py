"""The demo models of images by the names that Load Demo Model has for them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.model_management
import torch

from ...core.errors import CountError
from .emoji import load_emoji_few_step, load_emoji_unet
from .files import load_shapes_model
from .model import ShapesModel

_SIDE = 16  # cells of the latents that they were trained on, for images of 128 pixels
_LOADERS: dict[str, Callable[[], ShapesModel]] = {
    "emoji": load_emoji_unet,
    "emoji, 8 steps": load_emoji_few_step,
    "shapes": load_shapes_model,
}
DEMO_MODELS = tuple(_LOADERS)


def load_demo_model(name: str, batch_size: int) -> tuple[ShapesModel, dict[str, Any]]:
    """A demo model, and an empty LATENT of so many images of the size that it was made for.

    Args:
        name: one of `DEMO_MODELS`.
        batch_size: 1 or more.

    Raises:
        CountError: there is no such model, or its file is missing or damaged.
    """
    if name not in _LOADERS:
        raise CountError(f"there is no demo model '{name}'; there are {', '.join(DEMO_MODELS)}")
    loaded = _LOADERS[name]()
    channels = loaded.model.get_model_object("latent_format").latent_channels
    empty = torch.zeros(batch_size, channels, _SIDE, _SIDE, device=comfy.model_management.intermediate_device())
    return loaded, {"samples": empty}
