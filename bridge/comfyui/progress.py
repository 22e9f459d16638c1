"""ComfyUI's progress bar and preview for runs that this pack starts itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.utils
import latent_preview
from PIL import Image
from torch import Tensor

from ...core.drawing import pixels_of

_PREVIEW_SIDE = 512  # pixels, as of ComfyUI's own previews

SamplingProgress = Callable[[int, int, Tensor], None]
"""Called at each step with steps done, their total, and (1, ...) a predicted clean latent to show."""


def sampling_progress(model: Any) -> SamplingProgress | None:
    """ComfyUI's own bar and preview for `model`, None without one; updating it is also where a cancelled run ends."""
    if model is None:
        return None
    previewer = latent_preview.get_previewer(model.load_device, model.model.latent_format)
    bar = comfy.utils.ProgressBar(1)

    def step_done(done: int, total: int, denoised: Tensor) -> None:
        preview = previewer.decode_latent_to_preview_image("JPEG", denoised) if previewer else None
        bar.update_absolute(done, total, preview)

    return step_done


def show_image(image: Tensor, done: int, total: int) -> None:
    """Show a finished picture (H, W, 3) as the preview of the running node, also where ComfyUI shows no latent previews."""
    preview = Image.fromarray(pixels_of(image))
    comfy.utils.ProgressBar(total).update_absolute(done, total, ("JPEG", preview, _PREVIEW_SIDE))
