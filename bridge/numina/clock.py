"""Where in a sampling run a model call is: the step of its schedule, and the place in the authors' 50 steps."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import comfy.model_sampling
import numpy as np
import torch
from torch import Tensor

from ...core.numina import STEPS, time_of_sigma

_TOLERANCE = 1e-4  # of a noise level, which may have passed through another dtype
_PLACES = 513  # at which a model's noise levels are looked up; between them is interpolated


def step_of(options: Mapping[str, Any]) -> int:
    """Index of the step that a model call belongs to; samplers also ask between two steps.

    Args:
        options: ComfyUI's transformer_options.
    """
    level = options["sigmas"].flatten()[0]
    return max(int((options["sample_sigmas"][:-1] >= level * (1 - _TOLERANCE)).sum()) - 1, 0)


def progress_of(sampling: Any, sigmas: Tensor, is_wan: bool) -> list[float]:
    """How much of the way from noise to picture lies behind each noise level, 0 to 1.

    Args:
        sampling: ComfyUI's `model_sampling`.
        sigmas: (S,).
        is_wan: reckon by the schedule of the authors' model, whatever the shift; else by ComfyUI's percent.
    """
    levels = sigmas.detach().double().cpu()
    if is_wan and isinstance(sampling, comfy.model_sampling.CONST):
        return [time_of_sigma(level) / STEPS for level in levels.tolist()]
    percents = np.linspace(0, 1, _PLACES)
    known = np.array([float(sampling.percent_to_sigma(float(percent))) for percent in percents])
    return np.interp(-levels.numpy(), -known, percents).tolist()


@dataclass(frozen=True)
class Clock:
    """Tells the time of one run.

    Attributes:
        places: per step, its place in the authors' schedule, 0 to `STEPS`.
        reference: index of the step in which the layout is read; None where the run begins behind it.
    """

    places: tuple[float, ...]
    reference: int | None

    def place(self, options: Mapping[str, Any]) -> float:
        """Place of a model call in the authors' schedule."""
        return self.places[min(step_of(options), len(self.places) - 1)]


def clock_of(sampling: Any, sigmas: Tensor, percent: float, by_noise: bool, is_wan: bool) -> Clock:
    """The clock of a run.

    Args:
        sampling: ComfyUI's `model_sampling`.
        sigmas: (S + 1,) the run's noise levels; S may be 0.
        percent: share of the way at which the layout is read.
        by_noise: reckon by noise level instead of by step.
        is_wan: reckon noise levels by the schedule of the authors' model.
    """
    levels, steps = sigmas[:-1].detach().float().cpu(), max(len(sigmas) - 1, 1)
    shares = progress_of(sampling, levels, is_wan)
    begins_late = len(levels) > 0 and bool(levels[0] < torch.as_tensor(sampling.sigma_max).float().cpu() * (1 - 1e-2))
    if by_noise or begins_late:  # steps of a run that begins in the middle say nothing about how far it is
        reference = next((step for step, share in enumerate(shares) if share >= percent - 1e-3), None)
        if reference == 0 and begins_late:
            reference = None
    else:
        shares = [step / steps for step in range(steps)]
        reference = min(round(percent * steps), steps - 1)
    if reference == 0:  # the model's layers are known only after a first step
        reference = 1 if steps > 1 else None
    return Clock(tuple(STEPS * share for share in shares), reference)
