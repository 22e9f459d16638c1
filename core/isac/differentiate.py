"""What an objective hands back: losses, and their gradients at the queries and keys of the recorded calls.

The model's own graph ends at the queries and keys. An objective sees them without that graph, and says what it wants
changed in them; the caller takes it from there. So the large attention matrices of an objective never hang on the
model's graph, and an objective is free to differentiate itself in whatever way is cheapest.

Calls come and go one at a time, in both directions: an objective takes in what it needs of each while the model runs
forward, and is shown each once more while the model runs backward. So nobody has to keep their queries and keys, and no
two calls' gradients are alive at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..attention import AttentionCall


@dataclass(frozen=True)
class StepLosses:
    """Losses of one step, one value per picture.

    Attributes:
        instance: (B,) for ISAC the overlap of instances, L_ins.
        semantic: (B,) for ISAC the overlap of classes, L_cls; 0 for a single class.
        total: (B,) their weighted sum.
        urgency: (B,) how far from right the layout is, from 0, where objectives know it; without graph.
    """

    instance: Tensor
    semantic: Tensor
    total: Tensor
    urgency: Tensor | None = None

    def detached(self) -> StepLosses:
        """The same numbers without graph."""
        return StepLosses(self.instance.detach(), self.semantic.detach(), self.total.detach(), self.urgency)

    @staticmethod
    def joined(pictures: list[StepLosses]) -> StepLosses:
        """Losses of single pictures as those of a batch."""
        return StepLosses(
            torch.cat([losses.instance for losses in pictures]),
            torch.cat([losses.semantic for losses in pictures]),
            torch.cat([losses.total for losses in pictures]),
        )


@dataclass(frozen=True)
class CallGradient:
    """Gradient of the summed total loss with respect to one call.

    Attributes:
        call: the recorded call, as it was handed to the objective.
        queries: like `call.queries`.
        keys: like `call.keys`.
    """

    call: AttentionCall
    queries: Tensor
    keys: Tensor


class ObjectiveStep(Protocol):
    """One step: `accumulate` every selected call, `finish`, then take the `gradient` at touched calls in any order."""

    def accumulate(self, call: AttentionCall) -> None:
        """Take in what the losses need of a call that is selected, without graph."""

    def finish(self) -> StepLosses:
        """Losses of what was seen, without graph."""

    def has_gradient(self, call: AttentionCall) -> bool:
        """Whether the losses have a gradient at a call that was seen; its outline will do."""

    def gradient(self, call: AttentionCall) -> CallGradient:
        """The gradient at a call that is touched, from its queries and keys as they were seen."""


class Objective(Protocol):
    """An objective of one sampling step."""

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        """The calls that the objective reads, in their order; the model need not run beyond the last of them.

        Args:
            calls: all calls of the model; their outlines will do.
        """

    def start(self) -> ObjectiveStep:
        """A step at one state of the latent."""


def differentiated(objective: Objective, calls: list[AttentionCall]) -> tuple[StepLosses, list[CallGradient]]:
    """Losses of calls that are all at hand, and the gradients at those that are touched, in the order of `calls`."""
    step, read = objective.start(), objective.select(calls)
    for call in read:
        step.accumulate(call)
    losses = step.finish()
    return losses, [step.gradient(call) for call in read if step.has_gradient(call)]


def whole_gradients(
    losses_of: Callable[[list[AttentionCall]], StepLosses], calls: list[AttentionCall]
) -> tuple[StepLosses, list[CallGradient]]:
    """Differentiate `losses_of` as a whole, through every attention matrix that it makes.

    The plain way, for objectives whose matrices are small, and the reference for those that do it another way.
    """
    with torch.inference_mode(False), torch.enable_grad():
        leaves = [
            replace(call, queries=call.queries.detach().requires_grad_(), keys=call.keys.detach().requires_grad_())
            for call in calls
        ]
        losses = losses_of(leaves)
        if not losses.total.requires_grad or not bool(losses.total.detach().any()):
            return losses.detached(), []
        tensors = [tensor for leaf in leaves for tensor in (leaf.queries, leaf.keys)]
        gradients = torch.autograd.grad(losses.total.sum(), tensors, allow_unused=True)
    call_gradients = []
    for index, call in enumerate(calls):
        queries, keys = gradients[2 * index : 2 * index + 2]
        if queries is not None or keys is not None:
            call_gradients.append(CallGradient(call, _or_zero(queries, call.queries), _or_zero(keys, call.keys)))
    return losses.detached(), call_gradients


def _or_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient


class PlainStep:
    """A step of losses that are differentiated as a whole: it keeps all calls, and all their gradients at once.

    Args:
        losses_of: differentiable losses (B,) of the calls that were taken in; these are known by their place in the model.
    """

    def __init__(self, losses_of: Callable[[list[AttentionCall]], StepLosses]) -> None:
        self._losses_of = losses_of
        self._calls: list[AttentionCall] = []
        self._gradients: dict[int, CallGradient] = {}

    def accumulate(self, call: AttentionCall) -> None:
        self._calls.append(call)

    def finish(self) -> StepLosses:
        losses, gradients = whole_gradients(self._losses_of, self._calls)
        self._gradients = {one.call.place: one for one in gradients}
        self._calls = []
        return losses

    def has_gradient(self, call: AttentionCall) -> bool:
        return call.place in self._gradients

    def gradient(self, call: AttentionCall) -> CallGradient:
        return self._gradients[call.place]
