"""A change of a sampler's state for samplers whose state is out of reach: it is kept beside the sampler.

A sampler's next state is linear in the states that it has been in and in what the model answered. So a state that was moved
goes on as the unmoved one does, plus what the move alone becomes where the model answers 0: the model has to be asked about
the sum, and nothing else changes. The move alone shrinks with the noise level, since dx/dsigma = x/sigma there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.k_diffusion.sa_solver
import comfy.k_diffusion.sampling as k_diffusion
import torch
from torch import Tensor

# What is left at the second noise level of a move made at the first.
Decay = Callable[[float, float], float]


def with_noise_level(first: float, second: float) -> float:
    """The decay of every sampler that adds no noise."""
    return second / first


def decay_of(name: str, model: Any, sigmas: Tensor, options: dict[str, Any]) -> Decay:
    """The decay of the sampler function `name`, called with this model, these noise levels and options.

    A sampler of another pack that adds noise is taken for one that adds none: its moves come out too large.
    """
    if not name.startswith("sample_sa_solver") or len(sigmas) < 2:
        return with_noise_level
    sampling = model.inner_model.model_patcher.get_model_object("model_sampling")
    levels = k_diffusion.offset_first_sigma_for_snr(sigmas, sampling)
    tau = options.get("tau_func") or comfy.k_diffusion.sa_solver.get_tau_interval_func(
        sampling.percent_to_sigma(0.2), sampling.percent_to_sigma(0.8), eta=1.0
    )
    taus = torch.tensor([float(tau(level)) if level > 0 else 0.0 for level in levels[1:]], dtype=torch.float64)
    # To the CPU first: Apple's GPUs have no float64.
    lambdas = k_diffusion.sigma_to_half_log_snr(levels, sampling).cpu().double()
    noisy = torch.nn.functional.pad((taus.square() * lambdas.diff()).nan_to_num(posinf=0.0).cumsum(0), (1, 0))
    places = levels.cpu().double()

    def decay(first: float, second: float) -> float:
        lost = noisy[(places - second).abs().argmin()] - noisy[(places - first).abs().argmin()]
        return second / first * float((-lost).exp())

    return decay


def last_level(name: str, sigmas: Tensor) -> float:
    """The noise level that a sampler's result is at."""
    ends_early = name in ("dpm_fast_function", "dpm_adaptive_function") and len(sigmas) > 1 and bool(sigmas[-1] == 0)
    return float(sigmas[-2] if ends_early else sigmas[-1])


class LatentOffset:
    """The sum of the moves of one run."""

    def __init__(self, decay: Decay) -> None:
        self._decay = decay
        self._offset: Tensor | None = None
        self._level = 0.0

    @property
    def is_zero(self) -> bool:
        """True while nothing was moved."""
        return self._offset is None

    def add_to(self, x: Tensor, level: float) -> Tensor:
        """`x`, a point of the sampler's at a noise level, where it really is; `x` itself while nothing was moved."""
        if self._offset is None:
            return x
        return x + self._offset * self._decay(self._level, level)

    def set(self, offset: Tensor | None, level: float = 0.0) -> None:
        """Replace all moves by one, at a noise level above 0; None takes them away."""
        self._offset, self._level = offset, level
