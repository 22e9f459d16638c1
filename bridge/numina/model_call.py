"""One call of the model in a run under NUMINA: hands what is read to the run, and biases what is guided."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ...core.attention.calls import AttentionCall
from ..capture import as_bias, chunk_of, is_known_form
from ..families.family import ModelInputs, Reader
from ..newer_comfyui import unpacked
from .biased_rows import AttentionArguments, arguments_of
from .guided_rows import Place

if TYPE_CHECKING:
    from .guided_run import GuidedRun


class ModelCall:
    """One call of the model within `run`."""

    def __init__(self, run: GuidedRun, reader: Reader, options: Mapping[str, Any]) -> None:
        self._run, self._reader = run, reader
        self._uuids = list(options.get("uuids", ()))
        self._wants = run.wants(options)
        self._fade = run.fade(options) if run.guided() else 0.0
        self._left = set(run.chosen_layers(reader.one_grid)) if self._wants else set()

    def around(self, inputs: ModelInputs) -> AbstractContextManager[None]:
        """Around the model's own forward."""
        return self._reader.begin(inputs, lambda call, options: None)

    def override(self, previous: Callable[..., Tensor] | None) -> Callable[..., Tensor]:
        """An attention override that reads and biases, on top of the user's own attention."""

        @torch.compiler.disable
        def attend(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
            q, k, v = unpacked(q, k, v)
            own = (function,) if previous is not None else ()
            out = (previous or function)(*own, q, k, v, heads, *args, **kwargs)
            mask = args[0] if args else kwargs.get("mask")
            if not is_known_form(q, k, heads, mask, kwargs):
                return out
            bias = as_bias(mask, q)
            arguments = arguments_of(q, k, v, heads, bias, kwargs)
            options = kwargs.get("transformer_options") or {}
            call = self._reader.read(arguments.queries, arguments.keys, bias, options)
            return out if call is None else self._seen(call, arguments, out, options)

        return attend

    def _seen(
        self, call: AttentionCall, arguments: AttentionArguments, out: Tensor, options: Mapping[str, Any]
    ) -> Tensor:
        self._run.saw(call)
        if self._wants and call.layer in self._left:
            for index, uuid in enumerate(self._uuids):
                self._run.read(uuid, chunk_of(call, index, len(self._uuids)), options)
            if call.kind != "self":
                self._left.discard(call.layer)
                if not self._left:
                    self._run.layers_read(options)
        if self._fade and call.kind != "self":
            self._bias(call, arguments, out, options)
        return out

    def _bias(
        self, call: AttentionCall, arguments: AttentionArguments, out: Tensor, options: Mapping[str, Any]
    ) -> None:
        each = len(out) // max(len(self._uuids), 1)
        window = self._run.window(options, each, call.frames)
        first = 0 if call.image is None else call.image.start
        for index, uuid in enumerate(self._uuids):
            guides = self._run.guides.get(uuid, {})
            for row, item in enumerate(window.items):
                if item in guides and guides[item].layouts.changed:
                    place = Place(index * each + row, first, window.frames)
                    guides[item].apply(out, call, arguments, place, self._fade)
