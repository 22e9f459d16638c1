"""How much the instance and the class loss weigh at each sampling step (ISAC, Table 2 row E)."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class LossWeights:
    """Weights of the two losses, each 0 to 1."""

    instance: float
    semantic: float


def instance_to_class(step: int, steps: int, noise_left: float = 1.0, noise_end: float = 0.0) -> LossWeights:
    """Instances first, classes later: t / T and 1 - t / T with t counted down, as in Algorithm 1.

    The paper's appendix writes it the other way round because it counts t upwards there.

    Args:
        step: 0 for the first sampling step.
        steps: T, at least 1.
        noise_left: share of the model's timesteps at which sampling starts, 1 for a whole run. A run that starts later,
            such as image to image, starts as far down the schedule.
        noise_end: the same at its end, 0 for a run that finishes the picture.
    """
    # Samplers that choose their own noise levels may take more steps than the schedule has.
    remaining = noise_left + (noise_end - noise_left) * min(step / steps, 1.0)
    return LossWeights(remaining, 1 - remaining)
