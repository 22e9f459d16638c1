"""The image that KSampler and VAE Decode make, for nodes that make images themselves."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

import comfy.model_management
import comfy.sample
import torch
from torch import Tensor

from ...core.errors import CountError
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


def decoded(vae: Any, latents: Tensor) -> Tensor:
    """What the VAE makes of (n, C, ...) latents.

    Raises:
        CountError: it is of another model.
    """
    try:
        images: Tensor = vae.decode(latents)
    except RuntimeError as error:
        refuse_foreign_vae(getattr(vae, "latent_channels", latents.shape[1]), latents.shape[1], error)
        raise
    return images


def refuse_foreign_vae(channels: int, model_channels: int, cause: Exception | None = None) -> None:
    """Raises CountError where the latents of a VAE have other channels than those of the model."""
    if channels != model_channels:
        raise CountError(
            f"the VAE is of another model: its latents have {channels} channels, the model's have {model_channels}; "
            "connect the VAE of the loader that the model comes from, or a Load VAE node with a VAE for this model"
        ) from cause


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
    images = decoded(inputs.vae, samples)
    comfy.model_management.throw_exception_if_processing_interrupted()
    return images.reshape(-1, *images.shape[-3:])[0, ..., :3]
