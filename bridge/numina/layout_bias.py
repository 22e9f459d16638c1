"""Biases a run's attention to the text by layouts that are known."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import comfy.model_management
from torch import Tensor

from ...core.attention import AttentionCall
from ...core.numina import fade
from ..attention.arguments import ModelAttention
from ..families.family import ModelInputs, Reader
from .guided_rows import BatchSlot
from .settings import RunSetup
from .shared_guide import Guides
from .window import window_of


class LayoutBias:
    """An `AttentionHook`; state of one run.

    Args:
        guides: conditioning to the guide of each item of the batch.
        shape: of the run's latent.
    """

    of_gradients = False

    def __init__(self, guides: Guides, setup: RunSetup) -> None:
        self._guides, self._setup = guides, setup
        self._guidance = setup.settings.preset.guidance
        # Of the model call that runs:
        self._reader: Reader | None = None
        self._fade = 0.0
        self._uuids: list[Any] = []

    def begin(self, inputs: ModelInputs) -> AbstractContextManager[None] | None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._fade = fade(self._setup.clock.place(inputs.options), self._guidance)
        if self._fade <= 0:
            return None
        self._uuids = list(inputs.options.get("uuids", ()))
        self._reader = self._setup.family.reader(inputs.latent)
        return self._reader.begin(inputs, lambda call, options: None)

    def on_call(self, attention: ModelAttention | None, compute: Callable[[], Tensor]) -> Tensor:
        answer = compute()
        if attention is not None and self._reader is not None:
            call = self._reader.read(attention.queries, attention.keys, attention.bias, attention.options)
            if call is not None and call.kind != "self":
                self._bias(call, attention, answer)
        return answer

    def finish(self, inputs: ModelInputs) -> None:
        pass

    def _bias(self, call: AttentionCall, attention: ModelAttention, answer: Tensor) -> None:
        each = len(answer) // max(len(self._uuids), 1)
        window = window_of(attention.options, each, call.frames, self._setup.shape)
        first = call.rows(attention.queries.shape[2]).start
        for index, uuid in enumerate(self._uuids):
            guides = self._guides.get(uuid, {})
            for row, item in enumerate(window.items):
                if item in guides and guides[item].layouts.changed:
                    slot = BatchSlot(index * each + row, first, window.frames)
                    guides[item].apply(answer, call, attention, slot, self._fade)
