"""How pictures of a world should look: drawn scenes of what prompts ask for, and numbers whose distribution can be compared."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from headcount.core.drawing import image_of

from demo import quality
from demo.scenes import Kind

from .prompt_files import PromptRow

Pictures = np.ndarray
"""(N, H, W, 3) uint8."""


def kinds_of(row: PromptRow) -> tuple[Kind, ...]:
    """What a prompt asks for, as scenes take it."""
    return tuple(Kind(noun, count, row.colours.get(noun)) for noun, count in row.counts.items())


@torch.inference_mode()
def latent_features(loaded: Any, pictures: Pictures) -> np.ndarray:
    """(N, 2C) mean and standard deviation of each channel of the pictures' latents, which have unit variance in training."""
    encoded = [loaded.vae.encode(image_of(picture[None])) for picture in pictures]
    latents = loaded.model.get_model_object("latent_format").process_in(torch.cat(encoded)).float().flatten(2)
    return torch.cat([latents.mean(2), latents.std(2)], 1).cpu().numpy()


def shapes_features(_: Any, pictures: Pictures) -> np.ndarray:
    """(N, 7) what `demo.quality` measures: clear outlines, plain colours, a plain background."""
    return np.stack([quality.features(picture).vector for picture in pictures])
