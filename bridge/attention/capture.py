"""Hands on a model's attention calls for one conditioning, as its family makes sense of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from torch import Tensor

from ...core.attention import AttentionCall, CallList
from ..families.family import ModelInputs, Reader
from .arguments import ModelAttention


class CallSink(Protocol):
    """Takes in attention calls as they come: `CallList`, `CallSums`, `VideoSums`."""

    def add(self, call: AttentionCall) -> None:
        """Take in the model's next call."""


@dataclass
class Capture:
    """An `AttentionHook` that changes nothing.

    Attributes:
        reader: what makes sense of the model's calls, see `families`.
        uuid: id of the conditioning; ComfyUI runs several in one batch, and only the chunk of this one is handed on.
            None hands on the whole batch.
        sink: gets the calls, in the order in which the model makes them.
        of_gradients: calls that the pack makes for a gradient are looked at, too.
        called: the model was called at all.
        seen: how many attention calls the model has made, handed on or not.
        unknown: how many of them came in a form that is not known here, and were left alone.
    """

    reader: Reader
    uuid: Any = None
    sink: CallSink = field(default_factory=CallList)
    of_gradients: bool = False
    called: bool = False
    seen: int = 0
    unknown: int = 0
    _asked: bool = field(default=False, init=False)

    def begin(self, inputs: ModelInputs) -> AbstractContextManager[None] | None:
        self.called = True
        return self.reader.begin(inputs, self._take) if self._begins(inputs.options) else None

    def _begins(self, options: Mapping[str, Any]) -> bool:
        """False for a model call that is not to be read: guidance nodes ask about the same words again, disturbed."""
        if self.uuid is None or self.uuid not in options.get("uuids", ()):
            return self.uuid is None
        first, self._asked = not self._asked, True
        return first

    def on_call(self, attention: ModelAttention | None, compute: Callable[[], Tensor]) -> Tensor:
        if attention is None:
            self.seen, self.unknown = self.seen + 1, self.unknown + 1
        else:
            options = attention.options
            self._take(self.reader.read(attention.queries, attention.keys, attention.bias, options), options)
        return compute()

    def finish(self, inputs: ModelInputs) -> None:
        pass

    def _take(self, call: AttentionCall | None, options: Mapping[str, Any]) -> None:
        self.seen += 1
        if call is None:
            return
        call = replace(call, place=self.seen)
        if self.uuid is not None:
            chunks = list(options.get("uuids", ()))
            if self.uuid not in chunks:
                return
            call = chunk_of(call, chunks.index(self.uuid), len(chunks))
        self.sink.add(call)


def chunk_of(call: AttentionCall, index: int, chunks: int) -> AttentionCall:
    """The part of a call that belongs to one of the conditionings that share its batch."""
    bias = call.bias
    if bias is not None and bias.shape[0] > 1:
        bias = bias.chunk(chunks)[index]
    return replace(call, queries=call.queries.chunk(chunks)[index], keys=call.keys.chunk(chunks)[index], bias=bias)
