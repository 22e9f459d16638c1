"""Reads layouts off a run's attention, and decides whether anything is to be changed."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any

import comfy.model_management
from torch import Tensor

from ...core.attention import AttentionCall, RecordedMaps
from ...core.numina import Layouts
from ..attention.arguments import ModelAttention
from ..attention.capture import chunk_of
from ..families.family import ModelInputs, Reader
from ..prompts.conditionings import CountedConditioning
from .biased_rows import write_frame_local
from .clock import step_of
from .guided_rows import PictureGuide
from .layout_reading import PictureReading
from .reference_layers import LayerList
from .settings import RunSetup
from .shared_guide import Guides
from .window import window_of


class LayoutReader:
    """An `AttentionHook` that changes nothing, but for frame-local self-attention where the method asks for it; of one run.

    Attributes:
        guides: conditioning to the guide of each item of the batch, once known.
        maps: what the layouts of the first conditioning were read off, item by item.
        read_at: step and noise level at which they were.
        has_changed_attention: the run is no longer the plain one.
        left_alone: why nothing is read in this run and nothing changed, once that is known.
    """

    of_gradients = False

    def __init__(self, counted: list[CountedConditioning], setup: RunSetup, decided: Callable[[], None]) -> None:
        """`decided` is called when guides, or the reason for none, are known; it may raise, which ends the run."""
        self.guides: Guides = {}
        self.maps: list[RecordedMaps] = []
        self.read_at: tuple[int, float] | None = None
        self.has_changed_attention = False
        self.left_alone: str | None = None
        self._first = counted[0].conditioning["uuid"]
        self._counted = {one.conditioning["uuid"]: one for one in counted}
        self._family, self._clock, self._settings, self._shape = setup.family, setup.clock, setup.settings, setup.shape
        self._decided, self._frames = decided, 1
        self._layers = LayerList()
        self._readings: dict[Any, dict[int, PictureReading]] = {}
        # Of the model call that runs:
        self._reader: Reader | None = None
        self._unread: set[str] = set()

    @property
    def is_guiding(self) -> bool:
        """Whether there is something to change."""
        guides = [guide for items in self.guides.values() for guide in items.values()]
        return self._settings.strength > 0 and any(guide.layouts.changed for guide in guides)

    @property
    def unread(self) -> tuple[str, ...]:
        """Nouns that no layout could tell the number of, in the order of the prompt."""
        found = [
            self._counted[uuid].counts.objects[place].noun
            for uuid, items in self.guides.items()
            for guide in items.values()
            for place in sorted(guide.layouts.unread)
        ]
        return tuple(dict.fromkeys(found))

    def begin(self, inputs: ModelInputs) -> AbstractContextManager[None] | None:
        comfy.model_management.throw_exception_if_processing_interrupted()
        wanted = self._wants(inputs.options)
        if self._layers.grids and not wanted:
            return None  # the first call of a run shows the model's layers
        self._reader = self._family.reader(inputs.latent)
        settings = self._settings
        chosen = self._layers.chosen(settings.reference_layer, self._reader.one_grid, settings.method == "robust")
        self._unread = set(chosen) if wanted else set()
        return self._reader.begin(inputs, lambda call, options: None)

    def _wants(self, options: Mapping[str, Any]) -> bool:
        """Whether a model call is one that layouts are read in; a node that saves model calls may have left the step out."""
        reference = self._clock.reference
        is_open = not self.guides and self.left_alone is None
        return is_open and reference is not None and step_of(options) >= reference

    def on_call(self, attention: ModelAttention | None, compute: Callable[[], Tensor]) -> Tensor:
        answer = compute()
        if attention is not None and self._reader is not None:
            options = attention.options
            call = self._reader.read(attention.queries, attention.keys, attention.bias, options)
            if call is not None:
                self._keep_within_frames(call, attention, answer)
                self._take(call, options)
        return answer

    def _keep_within_frames(self, call: AttentionCall, attention: ModelAttention, answer: Tensor) -> None:
        """Where the method asks for it, the layer that is read answers as if each frame were alone."""
        is_read = call.layer in self._unread and call.kind == "self" and call.frames > 1
        if not is_read or not self._settings.preset.layout.frame_local:
            return
        uuids = list(attention.options.get("uuids", ()))
        each = len(answer) // max(len(uuids), 1)
        items = [n * each + row for n, uuid in enumerate(uuids) if uuid in self._counted for row in range(each)]
        if items:
            write_frame_local(answer, attention, call, items)
            self.has_changed_attention = True

    def finish(self, inputs: ModelInputs) -> None:
        reference = self._clock.reference
        is_over = reference is not None and step_of(inputs.options) > reference
        if is_over and self._readings and not self.guides:
            self._decide(inputs.options)  # a conditioning of this run was not active at the reference step

    def _take(self, call: AttentionCall, options: Mapping[str, Any]) -> None:
        self._layers.add(call)
        if call.layer not in self._unread:
            return
        uuids = list(options.get("uuids", ()))
        for index, uuid in enumerate(uuids):
            if uuid in self._counted:
                self._read(uuid, chunk_of(call, index, len(uuids)), options)
        if call.kind != "self":
            self._unread.discard(call.layer)
            if not self._unread and self._is_complete():
                self._decide(options)

    def _read(self, uuid: Any, call: AttentionCall, options: Mapping[str, Any]) -> None:
        """Take in the call of a chosen layer for one conditioning."""
        counted, window = self._counted[uuid], window_of(options, len(call.queries), call.frames, self._shape)
        readings, target = self._readings.setdefault(uuid, {}), counted.target
        for row, item in enumerate(window.items):
            reading = readings.setdefault(
                item, PictureReading(target.tokens, target.counts, counted.text_layout.length)
            )
            reading.add(call, row, window.frames)
        self._frames = window.total

    def _is_complete(self) -> bool:
        """Whether every item and frame of every conditioning was shown."""
        items = [readings for readings in self._readings.values()]
        return (
            set(self._readings) == set(self._counted)
            and all(len(readings) == self._shape[0] for readings in items)
            and all(reading.is_complete(self._frames) for readings in items for reading in readings.values())
        )

    def _decide(self, options: Mapping[str, Any]) -> None:
        problems = (reading.problem() for readings in self._readings.values() for reading in readings.values())
        self.left_alone = next((problem for problem in problems if problem is not None), None)
        if self.left_alone is None:
            self.read_at = step_of(options), float(options["sigmas"].flatten()[0])
            self._make_guides()
        self._readings.clear()
        self._decided()

    def _make_guides(self) -> None:
        preset, first = self._settings.preset, self._readings.get(self._first, {})
        shown = {item: first[item].maps() for item in sorted(first)}
        self.maps = [one.maps for one in shown.values()]
        for uuid, readings in self._readings.items():
            of_first = shown if readings is first else {}
            self.guides[uuid] = {
                item: self._guide(self._counted[uuid], reading.layouts(preset, of_first.get(item)))
                for item, reading in sorted(readings.items())
            }

    def _guide(self, counted: CountedConditioning, layouts: Layouts) -> PictureGuide:
        preset, strength = self._settings.preset, self._settings.strength
        return PictureGuide(layouts, counted.target.tokens, counted.text_layout.length, preset, strength)
