"""The demo models by the names that Load Demo Model has for them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.model_management
import torch

from ...core.errors import CountError
from .emoji import TRANSFORMER_WEIGHTS, load_emoji_few_step, load_emoji_transformer, load_emoji_unet
from .emoji_video import FRAMES, VIDEO_WEIGHTS, load_emoji_video
from .files import load_shapes_model
from .model import ShapesModel

_SIDE = 16  # cells of the latents that they were trained on, for images of 128 pixels


@dataclass(frozen=True)
class _Demo:
    """A demo model.

    Attributes:
        size: of its latents, without batch and channels.
        clone_file: its weights, where only a clone of the repository has them.
    """

    load: Callable[[], ShapesModel]
    size: tuple[int, ...] = (_SIDE, _SIDE)
    clone_file: Path | None = None


_ALL = {
    "emoji": _Demo(load_emoji_unet),
    "emoji, 8 steps": _Demo(load_emoji_few_step),
    "shapes": _Demo(load_shapes_model),
    "emoji, transformer": _Demo(load_emoji_transformer, clone_file=TRANSFORMER_WEIGHTS),
    "emoji, video": _Demo(load_emoji_video, (FRAMES, _SIDE, _SIDE), VIDEO_WEIGHTS),
}


def offered(is_there: Callable[[Path], bool] = Path.is_file) -> tuple[str, ...]:
    """The models of this pack: those that always ship, and those of a clone that are there."""
    return tuple(name for name, demo in _ALL.items() if demo.clone_file is None or is_there(demo.clone_file))


DEMO_MODELS = offered()


def load_demo_model(name: str, batch_size: int) -> tuple[ShapesModel, dict[str, Any]]:
    """A demo model, and an empty LATENT of so many images or clips of the size that it was made for.

    Args:
        name: one of `DEMO_MODELS`.
        batch_size: 1 or more.

    Raises:
        CountError: there is no such model, or its file is missing or damaged.
    """
    if name not in DEMO_MODELS:
        raise CountError(f"there is no demo model '{name}'; there are {', '.join(DEMO_MODELS)}")
    loaded = _ALL[name].load()
    channels = loaded.model.get_model_object("latent_format").latent_channels
    empty = torch.zeros(batch_size, channels, *_ALL[name].size, device=comfy.model_management.intermediate_device())
    return loaded, {"samples": empty}
