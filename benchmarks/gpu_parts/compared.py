"""Gradients of the pack's pass through a model, and how two of them compare."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import torch
from headcount.bridge.gradients import differentiable
from headcount.bridge.gradients.attention_gradient import GradientPass
from headcount.bridge.gradients.memory import MemorySetting
from headcount.core.attention import AttentionCall
from headcount.core.isac import Objective, ObjectiveStep, PlainStep
from torch import Tensor

from ..lab.measures import Step, peak_bytes
from ..lab.models import LoadedModel
from ..lab.steps import pass_of, smooth_losses
from .parts import Finding

RELATIVE, BITS = "relative difference", "to the bit"
SAME = 1e-4
"""Most relative difference of two gradients in float32 that are the same up to the order of sums."""


@dataclass(frozen=True)
class Smooth:
    """`smooth_losses` of the first calls of a model.

    Attributes:
        first: how many calls it reads; None for all.
    """

    first: int | None = None

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls[: self.first]

    def start(self) -> ObjectiveStep:
        return PlainStep(smooth_losses)


def gradient_by(one: GradientPass, model: LoadedModel, objective: Objective) -> Tensor:
    """The gradient at the model's state.

    Raises:
        RuntimeError: the pass gave up.
    """
    found = one(model.x, model.sigma, {}, objective)
    if found is None:
        raise RuntimeError("the gradient pass gave up")
    return found.gradient


def gradient(model: LoadedModel, objective: Objective, memory: MemorySetting = "fast") -> Tensor:
    """The gradient at the model's state, of a pass made for it."""
    return gradient_by(pass_of(model, memory), model, objective)


def peak(model: LoadedModel, step: Step) -> int:
    """Most bytes that a step with the model takes beyond what is taken before it."""
    return peak_bytes(step, model.patcher.model.diffusion_model)


def relative(found: Tensor, expected: Tensor) -> float:
    """Length of the difference as a share of the expected gradient's; not finite where that is zero."""
    a, b = found.double().cpu(), expected.double().cpu()
    return float((a - b).norm() / b.norm())


def cosine(found: Tensor, expected: Tensor) -> float:
    """Of the angle between two gradients."""
    a, b = found.double().cpu(), expected.double().cpu()
    return float((a * b).sum() / (a.norm() * b.norm()))


def close(what: str, found: Tensor, expected: Tensor, most: float, **figures: Any) -> Finding:
    """Whether two gradients differ by at most the share `most`."""
    difference = relative(found, expected)
    figures = {RELATIVE: difference, BITS: str(torch.equal(found.cpu(), expected.cpu())), **figures}
    return Finding(what, figures, f"at most {most:g}", difference <= most)


@contextmanager
def exact_products() -> Iterator[None]:
    """Within the block, float32 means float32: cuDNN's convolutions round to TF32 unless told otherwise."""
    before = torch.backends.cudnn.allow_tf32
    torch.backends.cudnn.allow_tf32 = False
    try:
        yield
    finally:
        torch.backends.cudnn.allow_tf32 = before


@contextmanager
def blocks_seen() -> Iterator[list[bool]]:
    """Within the block: of every try of a pass, whether it recomputed blocks."""
    seen: list[bool] = []
    own = differentiable.recomputed

    def spy(network: Any, blocks: tuple[type, ...]) -> Any:
        if torch.is_grad_enabled():  # else the model is only asked which calls it makes
            seen.append(bool(blocks))
        return own(network, blocks)

    with patch.object(differentiable, "recomputed", spy):
        yield seen
