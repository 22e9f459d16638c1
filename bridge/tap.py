"""Places in a model's graph where a step pulls at an attention call while backward passes by."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ..core.attention.calls import AttentionCall
from ..core.isac.differentiate import ObjectiveStep


@dataclass
class Tap:
    """One such place.

    A tap hands out a token, () and zero: a branch of the graph whose backward gives the pull at the call as gradient of
    its queries and keys. Autograd runs it when it reaches the attention that it was put at, and the queries and keys are
    those that autograd saves for that attention anyway; where blocks are recomputed, those of the second run.

    Attributes:
        step: asked for the pull, once it is finished.
        call: outline of the call; None for one that is not read.
    """

    step: ObjectiveStep
    call: AttentionCall | None = None

    def token(self, queries: Tensor, keys: Tensor) -> Tensor:
        """Put the tap at (B, H, N, d) queries and (B, H, K, d) keys as the model's attention gets them.

        Where a block is run again, a tap has to be put at each place again: autograd's recomputation counts what is saved.
        """
        token: Tensor = _Token.apply(self._pull_of_part, queries, keys, queries.detach(), keys.detach())
        return token

    def _pull_of_part(self, queries: Tensor, keys: Tensor) -> tuple[Tensor, Tensor] | None:
        """Gradients as the whole queries and keys, of which the call is a part, see `Reader.read`."""
        if self.call is None:
            return None
        rows, own = self.call.image or slice(None), slice(self.call.keys.shape[2])
        pull = self.step.pull(replace(self.call, queries=queries[:, :, rows], keys=keys[:, :, own]))
        return _padded(pull.queries, queries, rows), _padded(pull.keys, keys, own)


def token_of(step: ObjectiveStep, call: AttentionCall) -> Tensor:
    """A token at a call whose queries and keys no attention shows; they are kept until backward."""
    kept = replace(call, queries=call.queries.detach(), keys=call.keys.detach())

    def pull() -> tuple[Tensor, Tensor]:
        found = step.pull(kept)
        return found.queries, found.keys

    token: Tensor = _Token.apply(pull, call.queries, call.keys)
    return token


def _padded(part: Tensor, whole: Tensor, where: slice) -> Tensor:
    if part.shape == whole.shape:
        return part
    padded = torch.zeros_like(whole)
    padded[:, :, where] = part
    return padded


class _Token(torch.autograd.Function):
    """The branch itself; it does not keep its inputs, only what it is told to."""

    @staticmethod
    def forward(ctx: Any, pull: Any, queries: Tensor, keys: Tensor, *saved: Tensor) -> Tensor:
        ctx.pull = pull
        ctx.set_materialize_grads(False)
        ctx.save_for_backward(*saved)
        return queries.new_zeros((), dtype=torch.float32)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor | None) -> tuple[Tensor | None, ...]:
        saved = ctx.saved_tensors
        found = None if gradient is None else ctx.pull(*saved)
        return None, *(found or (None, None)), *(None for _ in saved)
