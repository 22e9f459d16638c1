"""When the layout is read and how strong the guidance is: the paper's 50 steps mapped to any sampler's."""

from __future__ import annotations

import math

from .settings import GuidanceSettings

STEPS = 50  # of the paper's schedule, on which every time t is counted
SHIFT = 5.0  # of its noise levels: sigma = SHIFT * u / (1 + (SHIFT - 1) * u)
FIRST_NOISE = 0.999  # u of the first step


def delta(time: float, settings: GuidanceSettings) -> float:
    """Strength of the guidance at a time of the paper's schedule, 0 to 50: 1.75 early, 1 at 25, 0.25 late."""
    return settings.floor * (settings.offset - settings.amplitude * math.tanh(time - settings.middle))


def fade(time: float, settings: GuidanceSettings) -> float:
    """`delta`, and 0 from where it has reached its floor, where the guidance ends: the last steps are left alone."""
    strength = delta(time, settings)
    return strength if strength > settings.floor or not settings.ends else 0.0


def time_of_sigma(sigma: float) -> float:
    """Time at which the paper's schedule has noise level `sigma` of a flow model, 0 to 1.

    The same noise then gets the same guidance, whatever the scheduler and the number of steps.
    """
    unshifted = sigma / (SHIFT - (SHIFT - 1) * sigma)
    return max(0.0, STEPS * (1 - unshifted / FIRST_NOISE))
