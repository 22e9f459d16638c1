"""The artist's own layout of a run: boxes in pixels of the images that its latent is of."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ...core.counting import NounBoxes, own_layout
from ...core.prompts import CountedObject


def run_layout(
    boxes: Any, objects: Sequence[CountedObject], model: Any, shape: tuple[int, ...]
) -> tuple[NounBoxes, ...]:
    """Per item of the latent batch and object of the prompt, its boxes; see `own_layout`.

    Args:
        boxes: what is connected.
        model: ComfyUI's model that samples, `guider.inner_model`.
        shape: of the run's latent, (N, C, ..., h, w).

    Raises:
        CountError: see `own_layout`.
    """
    pixels = model.latent_format.spacial_downscale_ratio
    return own_layout(boxes, objects, (shape[-2] * pixels, shape[-1] * pixels), shape[0])
