"""Draws pictures through ComfyUI, in this process, as KSampler does: plain, steered, or from a selected noise.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import comfy.sample
import numpy as np
import torch
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.core.drawing import pixels_of
from torch import Tensor


@dataclass(frozen=True)
class KSamplerSettings:
    """What KSampler and the empty latent are given; `size` is the side of the picture in pixels."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    size: int

    @property
    def inputs(self) -> dict[str, Any]:
        """Steps, cfg, sampler and scheduler under the names of a node's inputs."""
        return {"steps": self.steps, "cfg": self.cfg, "sampler_name": self.sampler, "scheduler": self.scheduler}


SHAPES_SAMPLING = KSamplerSettings(20, 3.0, "euler", "simple", 128)
"""As the node says that the Shapes model is to be used."""


@dataclass(frozen=True)
class Loaded:
    """MODEL, CLIP and VAE of ComfyUI."""

    model: Any
    clip: Any
    vae: Any


@dataclass(frozen=True)
class Sampling:
    """One picture about to be sampled, as KSampler is given it.

    Attributes:
        model: ComfyUI MODEL.
        positive: conditioning of Count Prompt, with its counts.
        negative: conditioning of the empty prompt.
        latent: (1, C, h, w) zeros.
        seed: seed of the noise.
        settings: steps, cfg, sampler and scheduler.
        noise: which of the seed's noises, ComfyUI's batch index.
        samples: what is sampled already, by a node that finishes the picture.
    """

    model: Any
    positive: list[Any]
    negative: list[Any]
    latent: Tensor
    seed: int
    settings: KSamplerSettings
    noise: int = 0
    samples: Tensor | None = None

    def run(self) -> Tensor:
        """The sampled latent."""
        if self.samples is not None:
            return self.samples
        noise = comfy.sample.prepare_noise(self.latent, self.seed, [self.noise])
        return sample(self, noise)


def sample(sampling: Sampling, noise: Tensor) -> Tensor:
    """The latents (B, C, h, w) that these noises, of the same shape, become; the seed is the sampler's own."""
    settings = sampling.settings
    return comfy.sample.sample(
        sampling.model, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler,
        sampling.positive, sampling.negative, sampling.latent, disable_pbar=True, seed=sampling.seed,
    )  # fmt: skip


class Generator:
    """Draws prompts with one model and one set of sampler settings."""

    def __init__(self, loaded: Any, settings: KSamplerSettings = SHAPES_SAMPLING) -> None:
        self.loaded, self.settings = loaded, settings
        with torch.inference_mode():
            self.negative = loaded.clip.encode_from_tokens_scheduled(loaded.clip.tokenize(""))
        self.positive = lru_cache(maxsize=1)(self._positive)  # methods of one prompt stand side by side

    @torch.inference_mode()
    def _positive(self, prompt: str) -> list[Any]:
        return encode_count_prompt(self.loaded.clip, prompt)[0]

    def sampling(self, prompt: str, seed: int) -> Sampling:
        """What KSampler is given for a picture."""
        side = self.settings.size // self.loaded.vae.spacial_compression_encode()
        latent = comfy.sample.fix_empty_latent_channels(self.loaded.model, torch.zeros(1, 4, side, side))
        return Sampling(self.loaded.model, self.positive(prompt), self.negative, latent, seed, self.settings)

    @torch.inference_mode()
    def pixels(self, samples: Tensor) -> np.ndarray:
        """(B, H, W, 3) uint8 pictures of sampled latents."""
        return pixels_of(self.loaded.vae.decode(samples))

    @torch.inference_mode()
    def draw(self, prompt: str, seed: int) -> np.ndarray:
        """A (H, W, 3) uint8 picture, as the model makes it by itself."""
        return self.pixels(self.sampling(prompt, seed).run())[0]
