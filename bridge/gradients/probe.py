"""Places in a model's graph where an objective gives its gradient at an attention call, while backward passes by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ...core.attention import AttentionCall
from ...core.isac import ObjectiveStep


@dataclass
class GradientProbe:
    """One such place.

    `output` is () and zero: a branch of the graph whose backward gives the objective's gradient with respect to the queries
    and keys. Autograd runs it when it reaches the attention that it was put at, and the queries and keys are those that
    autograd saves for that attention anyway; where blocks are recomputed, those of the second run.

    Attributes:
        step: asked for the gradient, once it is finished.
        call: outline of the call; None for one that is not read.
    """

    step: ObjectiveStep
    call: AttentionCall | None = None

    def output(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Put the probe at (B, H, N, d) queries and (B, H, K, d) keys as the model's attention gets them.

        Where a block is run again, a probe has to be put at each place again: autograd's recomputation counts what is saved.
        """
        output: Tensor = _Probe.apply(self._gradient, queries, keys, queries.detach(), keys.detach())
        return output

    def _gradient(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor] | None:
        """Gradients as the whole queries and keys, of which the call is a part, see `Reader.read`."""
        if self.call is None:
            return None
        rows, columns = self.call.rows(queries.shape[2]), slice(self.call.keys.shape[2])
        gradient = self.step.gradient(replace(self.call, queries=queries[:, :, rows], keys=keys[:, :, columns]))
        return _padded(gradient.queries, queries, rows), _padded(gradient.keys, keys, columns)


def output_of(step: ObjectiveStep, call: AttentionCall) -> Tensor:
    """A probe's output at a call whose queries and keys no attention shows; they are kept until backward."""
    detached = replace(call, queries=call.queries.detach(), keys=call.keys.detach())

    def gradient() -> tuple[Tensor, Tensor]:
        gradient = step.gradient(detached)
        return gradient.queries, gradient.keys

    output: Tensor = _Probe.apply(gradient, call.queries, call.keys)
    return output


def _padded(part: Tensor, whole: Tensor, where: slice) -> Tensor:
    if part.shape == whole.shape:
        return part
    padded = torch.zeros_like(whole)
    padded[:, :, where] = part
    return padded


class _Probe(torch.autograd.Function):
    """The branch itself; it does not keep its inputs, only what it is told to."""

    @staticmethod
    def forward(ctx: Any, gradient: Any, queries: Tensor, keys: Tensor, *saved: Tensor) -> Tensor:
        ctx.gradient = gradient
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*saved)
        return queries.new_zeros((), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        gradients = None if upstream is None else ctx.gradient(*saved)
        return None, *(gradients or (None, None)), *(None for _ in saved)
