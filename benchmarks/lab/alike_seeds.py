"""A model made to collapse, as distilled models do: every seed starts from nearly the same noise, and so makes nearly the same.

A run that begins in the middle keeps its own noise, and so does noise that a sampler adds on the way.
"""

from __future__ import annotations

from copy import copy
from typing import Any

import torch
from torch import Tensor

COMMON, OWN = 0.995, 0.1
"""Shares of one fixed noise and of a seed's own, whose squares add up to 1; seeds with 0.3 of their own count differently."""


def with_alike_seeds(model: Any) -> Any:
    """A clone of a ComfyUI MODEL whose full runs begin with little noise of their own."""
    own = model.get_model_object("model_sampling")
    collapsed = copy(own)

    def noise_scaling(sigma: Tensor, noise: Tensor, latent_image: Tensor, max_denoise: bool = False) -> Tensor:
        if max_denoise:
            fixed = torch.randn(noise.shape[1:], generator=torch.Generator().manual_seed(0)).to(noise)
            noise = COMMON * fixed + OWN * noise
        scaled: Tensor = own.noise_scaling(sigma, noise, latent_image, max_denoise)
        return scaled

    collapsed.noise_scaling = noise_scaling
    clone = model.clone()
    clone.add_object_patch("model_sampling", collapsed)
    return clone
