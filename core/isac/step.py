"""How far one gradient step moves the latent."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor

from ..errors import CountError

StepMode = Literal["relative", "paper"]


def latent_step(
    gradient: Tensor, x: Tensor, mode: StepMode, size: float, variance: float, urgency: Tensor | None = None
) -> Tensor:
    """The change of the latent, against the gradient.

    Args:
        gradient: (B, ...) gradient of the objective with respect to `x`.
        x: (B, ...) the sampler's state.
        mode: "paper" takes -size * gradient for a latent of unit variance (ISAC, Algorithm 1); "relative" makes the
            change as long as `size` times the latent, picture by picture.
        size: eta of the paper, or the share of the latent's length; >= 0.
        variance: of `x` against a latent of unit variance: 1 + sigma^2 where noise is added to the picture (eps and v
            models), 1 for flow models. Only "paper" needs it.
        urgency: (B,) share of a "relative" step to take, 0 to 1: a layout that is nearly right needs a nudge only, but
            a gradient's length does not say so. None takes whole steps.

    Returns:
        (B, ...) to be added to `x`. All zeros for pictures whose gradient is zero or not finite.

    Raises:
        CountError: unknown mode.
    """
    if mode not in ("relative", "paper"):
        raise CountError(f"step mode is '{mode}'; it can be 'relative' or 'paper'")
    flat = gradient.flatten(1).float()
    length = flat.norm(dim=1)
    usable = torch.isfinite(length) & (length > 0)
    if mode == "paper":
        factor = torch.full_like(length, size * variance)
    else:
        whole = size * x.flatten(1).float().norm(dim=1) / torch.where(usable, length, 1.0)
        factor = whole if urgency is None else whole * urgency.clamp(0, 1)
    factor = torch.where(usable, factor, 0.0).view(-1, *[1] * (gradient.ndim - 1))
    return -factor * torch.nan_to_num(gradient.float(), nan=0.0, posinf=0.0, neginf=0.0)
