"""Attention calls of one model call that are kept for a while: without self-attention that is too fine."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from .calls import AttentionCall, thinned


@dataclass
class CallList:
    """Calls in the order in which the model makes them.

    Attributes:
        most_self_pixels: self-attention among more pixels than this is left out, unless the model has no coarser one.
            None keeps all.
        one_grid: all layers of the model work on one grid, so that no coarser one is to come; that many queries are kept
            of each call then.
        calls: what is kept.
    """

    most_self_pixels: int | None = None
    one_grid: bool = False
    calls: list[AttentionCall] = field(default_factory=list)
    _coarsest: int | None = None

    def add(self, call: AttentionCall) -> None:
        """Take in the model's next call."""
        if self.most_self_pixels is None or call.kind == "cross":
            self.calls.append(call)
        elif self.one_grid:
            self.calls.append(thinned(call, self.most_self_pixels))
        else:
            self._add_self(call, self.most_self_pixels)

    def _add_self(self, call: AttentionCall, most: int) -> None:
        pixels = call.queries.shape[2]
        coarsest = pixels if self._coarsest is None else self._coarsest
        if pixels > max(coarsest, most):
            return
        self._coarsest = min(pixels, coarsest)
        limit = max(self._coarsest, most)
        self.calls = [other for other in self.calls if other.kind != "self" or other.queries.shape[2] <= limit]
        self.calls.append(_apart(call) if self._may_go(call) else call)

    def take_settled(self) -> list[AttentionCall]:
        """Take out the calls that no later one can push out, in their order."""
        settled = [call for call in self.calls if not self._may_go(call)]
        self.calls = [call for call in self.calls if self._may_go(call)]
        return settled

    def _may_go(self, call: AttentionCall) -> bool:
        most = self.most_self_pixels
        return call.kind == "self" and not self.one_grid and most is not None and call.queries.shape[2] > most


def _apart(call: AttentionCall) -> AttentionCall:
    """A call that is one conditioning's part of a batch, in memory of its own: the rest of the batch need not wait with it."""
    queries, keys = (
        part.clone() if part.untyped_storage().nbytes() > part.nbytes else part for part in (call.queries, call.keys)
    )
    return replace(call, queries=queries, keys=keys)
