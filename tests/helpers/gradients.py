"""Gradient passes on small models, with objectives whose gradients are easy to follow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import comfy.sampler_helpers
import comfy.samplers
import torch
from headcount.bridge.families.table import family_of
from headcount.bridge.gradients.attention_gradient import AttentionGradient, GradientPass, LearntCalls
from headcount.core.attention.calls import AttentionCall
from headcount.core.isac.differentiate import ObjectiveStep, PlainStep, StepLosses
from torch import Tensor

from benchmarks.lab.steps import smooth_losses

from .models import CPU, Setup

ATTENTION_CALLS = 14  # of the tiny U-Net: self and cross in each of its seven blocks


@dataclass
class Whole:
    """An objective that reads the first calls of a model, and remembers what it was handed.

    Attributes:
        first: how many of the recorded calls; None for all.
    """

    losses_of: Callable[[list[AttentionCall]], StepLosses] = smooth_losses
    first: int | None = None
    calls: list[AttentionCall] = field(default_factory=list)

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls[: self.first]

    def start(self) -> ObjectiveStep:
        return PlainStep(self._losses)

    def _losses(self, calls: list[AttentionCall]) -> StepLosses:
        self.calls = calls
        return self.losses_of(calls)


def latent(setup: Setup, batch: int = 1, size: int = 8) -> Tensor:
    """A sampler's state for the tiny U-Net."""
    return torch.randn(batch, setup.channels, size, size, generator=torch.Generator().manual_seed(4)) * 2


def processed(setup: Setup, x: Tensor, positive: Any = None) -> dict[str, Any]:
    """The positive conditioning as a sampler's model call gets it."""
    inner = setup.model.model
    conds = {"positive": comfy.sampler_helpers.convert_cond(positive or setup.positive)}
    return comfy.samplers.process_conds(inner, x, conds, CPU, torch.zeros_like(x))["positive"][0]


def gradient_pass(
    setup: Setup, x: Tensor, memory: Any = "fast", learnt: LearntCalls | None = None, **changes: Any
) -> GradientPass:
    """A pass for the positive conditioning; `changes` go into that."""
    inner = setup.model.model
    inner.current_patcher = setup.model
    conditioning = {**processed(setup, x), **changes}
    return GradientPass(inner, family_of(setup.model, "the test"), conditioning, memory, learnt=learnt)


def gradient_of(
    setup: Setup, x: Tensor, level: float = 2.0, objective: Any = None, options: Any = None, memory: Any = "fast"
) -> AttentionGradient | None:
    """One pass, taken once."""
    one = gradient_pass(setup, x, memory)
    sigma = torch.full((len(x),), level)
    return one(x, sigma, options or setup.model.model_options, objective or Whole())


@contextmanager
def counted_saves(seen: list[int]) -> Any:
    """Within the block, the size in bytes of every storage that autograd saves is added to `seen`, each once."""
    known = {}

    def pack(tensor: Tensor) -> Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            known[storage.data_ptr()] = tensor  # kept, so that no other takes its place
            seen.append(storage.nbytes())
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        yield
