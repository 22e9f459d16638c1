"""Draws pictures through ComfyUI, in this process, as KSampler does: plain, steered, or from a selected noise.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import comfy.sample
import numpy as np
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.bridge.seed_search.latent_selection import select_candidates
from headcount.bridge.seed_search.search import Search
from headcount.bridge.seed_search.settings import SelectionSettings
from torch import Tensor


@dataclass(frozen=True)
class KSamplerSettings:
    """What KSampler and the empty latent are given; `size` is the side of the picture in pixels."""

    steps: int
    cfg: float
    sampler: str
    scheduler: str
    size: int


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
    """

    model: Any
    positive: list[Any]
    negative: list[Any]
    latent: Tensor
    seed: int
    settings: KSamplerSettings
    noise: int = 0

    def run(self) -> Tensor:
        """The sampled latent."""
        noise = comfy.sample.prepare_noise(self.latent, self.seed, [self.noise])
        return sample(self, noise)


def sample(sampling: Sampling, noise: Tensor) -> Tensor:
    """The latents (B, C, h, w) that these noises, of the same shape, become; the seed is the sampler's own."""
    settings = sampling.settings
    return comfy.sample.sample(
        sampling.model, noise, settings.steps, settings.cfg, settings.sampler, settings.scheduler,
        sampling.positive, sampling.negative, sampling.latent, disable_pbar=True, seed=sampling.seed,
    )  # fmt: skip


@dataclass(frozen=True)
class Method:
    """What is done for a picture: noises chosen first, steering while sampling, both, or nothing."""

    steering: IsacSettings | None = None
    selection: SelectionSettings | None = None

    def run(self, sampling: Sampling) -> tuple[Tensor, list[float]]:
        """The sampled latent, and the losses of the steered steps.

        Raises:
            CountError: the method cannot work with this model or prompt.
        """
        model, handle, noise = sampling.model, None, 0
        if self.steering is not None:
            model, handle = with_isac(model, self.steering)
        if self.selection is not None:
            noise = _selected(sampling, self.selection)
        samples = replace(sampling, model=model, noise=noise).run()
        if handle is None:
            return samples, []
        steps = handle.record_for(samples)[0].steps
        return samples, [float(s.instance_loss + s.semantic_loss) for s in steps if s.instance_loss is not None]


def _selected(sampling: Sampling, selection: SelectionSettings) -> int:
    """The noise that Latent Selection takes, which samples as the picture will be sampled."""
    own = sampling.settings
    settings = replace(
        selection, seed=sampling.seed, steps=own.steps, cfg=own.cfg, sampler=own.sampler, scheduler=own.scheduler
    )
    latent = {"samples": sampling.latent}
    search = Search(sampling.model, sampling.positive, sampling.negative, latent, settings)
    return select_candidates(search).candidates[0].index


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

    def pixels(self, samples: Tensor) -> np.ndarray:
        """(B, H, W, 3) uint8 pictures of sampled latents."""
        return (self.loaded.vae.decode(samples).float().cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8)

    @torch.inference_mode()
    def draw(self, prompt: str, seed: int, method: Method = Method()) -> tuple[np.ndarray, list[float]]:
        """A (H, W, 3) uint8 picture, and the losses of its steered steps.

        Raises:
            CountError: the method cannot work with this model or prompt.
        """
        samples, losses = method.run(self.sampling(prompt, seed))
        return self.pixels(samples)[0], losses
