"""Says that an image is of a size far from its model's own: objects multiply or melt together there, whoever steers them."""

from __future__ import annotations

from typing import Any

from comfy.supported_models import SD15, SDXL
from torch import Tensor

from ..comfyui.run_notes import RunNotes
from .noise_share import noise_share

FAR = 2.5
"""Times as many pixels, or so many times fewer. Chosen: SD 1.5's usual 768 x 768 has 2.25 times its own 512 x 512."""
_OWN_SIDES = {SD15: 512, SDXL: 1024}  # pixels, as trained
_CHANNELS = 320  # model_channels of both; small models of these classes have fewer
_FROM_NOISE = 0.9  # share of noise in the first step of a run; a second sampler begins with less


def warn_of_size(model: Any, noise: Tensor, sigmas: Tensor, notes: RunNotes) -> None:
    """Say that a run that begins in noise makes images far from the size that the model is made for, where that is known.

    A second sampler that goes on from an enlarged image is meant to be larger.

    Args:
        model: ComfyUI's BaseModel.
        noise: (B, C, h, w).
        sigmas: of the run's steps.
    """
    side = _own_side(model.model_config)
    if side is None or noise.ndim != 4 or noise_share(model.model_sampling, sigmas[0]) < _FROM_NOISE:
        return
    height, width = (length * model.latent_format.spacial_downscale_ratio for length in noise.shape[-2:])
    if not 1 / FAR <= height * width / side**2 <= FAR:
        notes.warn(
            f"{width} x {height} is far from the {side} x {side} that this model is made for: objects multiply or melt "
            "together. Choose a size nearer to it"
        )


def _own_side(config: Any) -> int | None:
    """Pixels; None where nothing is known. A model of the pack's own says it itself."""
    own: int | None = getattr(type(config), "own_side", None)  # an instance of ComfyUI's warns of what it lacks
    if own is not None:
        return own
    return _OWN_SIDES.get(type(config)) if config.unet_config.get("model_channels") == _CHANNELS else None
