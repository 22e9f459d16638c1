"""What an objective hands back: losses, and how they pull at the queries and keys of the recorded calls.

The model's own graph ends at the queries and keys. An objective sees them without that graph, and says what it wants
changed in them; the caller takes it from there. So the large attention matrices of an objective never hang on the
model's graph, and an objective is free to differentiate itself in whatever way is cheapest.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

from ..attention.calls import AttentionCall


@dataclass(frozen=True)
class StepLosses:
    """Losses of one step, one value per picture.

    Attributes:
        instance: (B,) for ISAC the overlap of instances, L_ins.
        semantic: (B,) for ISAC the overlap of classes, L_cls; 0 for a single class.
        total: (B,) their weighted sum.
    """

    instance: Tensor
    semantic: Tensor
    total: Tensor

    def detached(self) -> StepLosses:
        """The same numbers without graph."""
        return StepLosses(self.instance.detach(), self.semantic.detach(), self.total.detach())

    @staticmethod
    def joined(pictures: list[StepLosses]) -> StepLosses:
        """Losses of single pictures as those of a batch."""
        return StepLosses(
            torch.cat([losses.instance for losses in pictures]),
            torch.cat([losses.semantic for losses in pictures]),
            torch.cat([losses.total for losses in pictures]),
        )


@dataclass(frozen=True)
class Pull:
    """Gradient of the summed total loss with respect to one call.

    Attributes:
        call: the recorded call, as it was handed to the objective.
        queries: like `call.queries`.
        keys: like `call.keys`.
    """

    call: AttentionCall
    queries: Tensor
    keys: Tensor


class Objective(Protocol):
    """An objective of one sampling step."""

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        """The calls that the objective reads, in their order; the model need not run beyond the last of them."""

    def __call__(self, calls: list[AttentionCall]) -> tuple[StepLosses, list[Pull]]:
        """Losses without graph and the pulls at the selected calls; no pulls where nothing is to be changed."""


def pulls_of(
    losses_of: Callable[[list[AttentionCall]], StepLosses], calls: list[AttentionCall]
) -> tuple[StepLosses, list[Pull]]:
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
    pulls = []
    for index, call in enumerate(calls):
        queries, keys = gradients[2 * index : 2 * index + 2]
        if queries is not None or keys is not None:
            pulls.append(Pull(call, _or_zero(queries, call.queries), _or_zero(keys, call.keys)))
    return losses.detached(), pulls


def _or_zero(gradient: Tensor | None, like: Tensor) -> Tensor:
    return torch.zeros_like(like) if gradient is None else gradient
