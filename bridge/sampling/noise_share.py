"""Where a noise level stands on a model's own scale."""

from __future__ import annotations

from typing import Any

from torch import Tensor


def noise_share(sampling: Any, sigma: Tensor) -> float:
    """How far up the timesteps of ComfyUI's `model_sampling` a noise level is, 0 to 1."""
    return float(sampling.timestep(sigma) / sampling.timestep(sampling.sigma_max)) if sigma > 0 else 0.0
