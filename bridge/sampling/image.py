"""The image that KSampler and VAE Decode make, for nodes that make images themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import comfy.model_management
import comfy.sample
import torch
from torch import Tensor

from ..comfyui.progress import SamplingProgress


class SamplerChoice(Protocol):
    """KSampler's settings but for the seed."""

    @property
    def steps(self) -> int: ...

    @property
    def cfg(self) -> float: ...

    @property
    def sampler(self) -> str: ...

    @property
    def scheduler(self) -> str: ...

    @property
    def denoise(self) -> float: ...


@dataclass(frozen=True)
class ImageInputs:
    """What an image is made of.

    Attributes:
        positive, negative: CONDITIONING.
        latent: (1, C, ...) where it starts, in the model's channels.
        vae: decodes it.
    """

    positive: Any
    negative: Any
    latent: Tensor
    vae: Any


def sampled_image(
    model: Any, inputs: ImageInputs, choice: SamplerChoice, seed: int, step_done: SamplingProgress
) -> Tensor:
    """(H, W, 3) what KSampler and VAE Decode make of a seed; of a video the first frame.

    Args:
        step_done: told of each step, how many there are, and (1, C, ...) the predicted clean latent.
    """
    latent = inputs.latent
    samples = comfy.sample.sample(
        model, comfy.sample.prepare_noise_inner(latent, torch.Generator().manual_seed(seed)), choice.steps, choice.cfg,
        choice.sampler, choice.scheduler, inputs.positive, inputs.negative, latent, denoise=choice.denoise,
        disable_pbar=True, seed=seed, callback=lambda step, denoised, x, total: step_done(step + 1, total, denoised[:1]),
    )  # fmt: skip
    images: Tensor = inputs.vae.decode(samples)
    comfy.model_management.throw_exception_if_processing_interrupted()
    return images.reshape(-1, *images.shape[-3:])[0, ..., :3]
