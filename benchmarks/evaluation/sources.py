"""The models that can be compared: the demo model of the pack, or any checkpoint that ComfyUI can load.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.sd
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model
from headcount.core.errors import CountError

from .methods import SamplerSettings
from .store import file_digest

# As the node says the Shapes model is to be used, and as diffusers runs Stable Diffusion 1.5 in the paper.
SHAPES_SAMPLING = SamplerSettings(20, 3.0, "euler", "simple", 128)
CHECKPOINT_SAMPLING = SamplerSettings(50, 7.5, "ddim", "ddim_uniform", 512)


@dataclass(frozen=True)
class Loaded:
    """MODEL, CLIP and VAE of ComfyUI."""

    model: Any
    clip: Any
    vae: Any


@dataclass(frozen=True)
class Source:
    """A model that need not be loaded yet.

    Attributes:
        name: file name, and digest of what the file holds.
        load: reads it; takes a while.
    """

    name: str
    load: Callable[[], Loaded]


def shapes_source() -> Source:
    """The demo model that ships with the pack."""

    def load() -> Loaded:
        shapes = load_shapes_model()
        return Loaded(shapes.model, shapes.clip, shapes.vae)

    return Source(f"{WEIGHTS.name} {file_digest(WEIGHTS)}", load)


def checkpoint_source(file: Path) -> Source:
    """A checkpoint of diffusion model, text encoder and VAE, read by ComfyUI's own loader.

    Raises:
        FileNotFoundError: there is no such file.
        CountError: on loading, when ComfyUI cannot read it or it lacks one of the three.
    """

    def load() -> Loaded:
        try:
            model, clip, vae, *_ = comfy.sd.load_checkpoint_guess_config(str(file), output_vae=True, output_clip=True)
        except RuntimeError as error:
            raise CountError(f"{file.name} is no checkpoint that ComfyUI can load: {error}") from error
        parts = {"diffusion model": model, "text encoder": clip, "VAE": vae}
        if missing := [name for name, part in parts.items() if part is None]:
            raise CountError(f"{file.name} holds no {' and no '.join(missing)}: give a full checkpoint")
        return Loaded(model, clip, vae)

    return Source(f"{file.name} {file_digest(file)}", load)
