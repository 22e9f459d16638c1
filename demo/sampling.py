"""What KSampler and VAE Decode make with a demo model, in this process."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray

if TYPE_CHECKING:
    from headcount.bridge.demo_models.model import ShapesModel


def sampled_pixels(
    loaded: ShapesModel, prompt: str, shape: Sequence[int], seeds: Sequence[int], steps: int, cfg: float
) -> NDArray[np.uint8]:
    """(S, 128, 128, 3) pictures of a prompt, or (S, F, 128, 128, 3) clips, one a seed.

    Args:
        shape: of a latent, without the batch.
    """
    import comfy.sample
    from headcount.core.drawing import pixels_of

    texts = (loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(text)) for text in (prompt, ""))
    noise = torch.cat([comfy.sample.prepare_noise(torch.zeros(1, *shape), seed) for seed in seeds])
    latent = torch.zeros_like(noise)
    samples = comfy.sample.sample(
        loaded.model, noise, steps, cfg, "euler", "simple", *texts, latent, disable_pbar=True, seed=seeds[0]
    )
    return pixels_of(loaded.vae.decode(samples))
