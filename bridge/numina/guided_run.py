"""One sampling run under NUMINA: reads layouts on the way, and biases attention once they are known.

The run starts as the ordinary one. Inside the reference step, as soon as the chosen layers have shown their attention, it is
known whether anything is to change. If not, the run simply goes on and is the picture; else it is broken off there, and a
second one starts from the same noise with the bias.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.model_management
import comfy.model_patcher
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ...core.attention.calls import AttentionCall
from ...core.attention.records import RecordedMaps
from ...core.numina import Layouts
from ...core.numina.schedule import fade
from ..capture import SLOT
from ..conditionings import CountedConditioning
from ..families.family import Family, ModelInputs
from ..newer_comfyui import without_graphs
from ..recorded_call import is_differentiated
from ..whole_picture import on_one_device
from .clock import Clock, step_of
from .first_run_cache import FirstRunCache
from .guided_rows import PictureGuide
from .layout_reading import PictureReading
from .model_call import ModelCall
from .reference_layers import LayerList
from .settings import NuminaSettings
from .shared_guide import Guides
from .window import Window, window_of

_KEY = "headcount_numina_call"


class Restart(Exception):
    """Breaks a run off: there is something to change."""


class GuidedRun:
    """State of one run; dropped with it.

    Attributes:
        restart: what a run that is to be started again is broken off with.
        counted: the conditionings that count something.
        guides: conditioning to the guide of each item of the batch, once known.
        readings: the same to what the reference step has shown so far.
        maps: what the layouts of the first conditioning were read off, item by item.
        read_at: step and noise level at which it was.
        left_alone: why nothing is read in this run and nothing changed, once that is known.
    """

    def __init__(
        self,
        counted: list[CountedConditioning],
        family: Family,
        clock: Clock,
        settings: NuminaSettings,
        shape: tuple[int, ...],
    ) -> None:
        self.restart = Restart()
        self.guides: Guides = {}
        self.readings: dict[Any, dict[int, PictureReading]] = {}
        self.maps: list[RecordedMaps] = []
        self.read_at: tuple[int, float] | None = None
        self.left_alone: str | None = None
        self.counted, self._counted = counted, {one.conditioning["uuid"]: one for one in counted}
        self._family, self._clock, self._settings = family, clock, settings
        self._shape, self._frames = shape, 1
        self._layers = LayerList()
        self._may_restart = True
        self._cache = FirstRunCache(len(clock.places), clock.reference) if settings.cache and clock.reference else None

    def options(self, model_options: dict[str, Any]) -> dict[str, Any]:
        """A copy of `model_options` under which the run is read and guided."""
        options = on_one_device(comfy.model_patcher.create_model_options_clone(model_options))
        add_wrapper_with_key(WrappersMP.APPLY_MODEL, _KEY, self._model_call, options, is_model_options=True)
        if self._cache is not None and self._may_restart:
            add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, _KEY, self._cache, options, is_model_options=True)
        return options

    def follow(self, guides: Guides) -> None:
        """Be guided by what another run read."""
        self.guides = guides
        self.begin_again()

    def begin_again(self) -> None:
        """From here on the run is guided and nothing is read."""
        self._may_restart, self._cache = False, None

    def _model_call(
        self,
        executor: Any,
        x: Tensor,
        t: Tensor,
        c_concat: Any = None,
        c_crossattn: Tensor | None = None,
        control: Any = None,
        transformer_options: dict[str, Any] | None = None,
        **kwargs: Any,
    ) -> Tensor:
        own = dict(transformer_options or {})
        arguments = (x, t, c_concat, c_crossattn, control, own)
        if is_differentiated(x):
            return executor(*arguments, **kwargs)  # another node's gradient, through attention of its own
        comfy.model_management.throw_exception_if_processing_interrupted()
        if self._has_nothing_to_do(own):
            return executor(*arguments, **kwargs)
        frames = x.shape[2] if x.ndim == 5 else 1
        text = 0 if c_crossattn is None else c_crossattn.shape[1]
        inputs = ModelInputs(executor.class_obj.diffusion_model, tuple(x.shape[-2:]), text, kwargs, own, frames)
        call = ModelCall(self, self._family.reader(inputs.latent), own)
        own[SLOT] = call.override(own.get(SLOT))
        with without_graphs(), call.around(inputs):
            answer: Tensor = executor(*arguments, **kwargs)
        self._call_done(own)
        return answer

    def wants(self, options: Mapping[str, Any]) -> bool:
        """Whether a model call is one that layouts are read in; a node that saves model calls may have left the step out."""
        reference = self._clock.reference
        return (
            self._may_restart
            and not self.guides
            and self.left_alone is None
            and reference is not None
            and step_of(options) >= reference
        )

    def _has_nothing_to_do(self, options: Mapping[str, Any]) -> bool:
        """Whether a call is neither read nor guided, and its layers are known from another one."""
        is_biased = self.guided() and self.fade(options) > 0
        return bool(self._layers.grids) and not self.wants(options) and not is_biased

    def chosen_layers(self, one_grid: bool) -> tuple[str, ...]:
        """Names of the layers that layouts are read in."""
        return self._layers.chosen(self._settings.reference_layer, one_grid, self._settings.method == "robust")

    def saw(self, call: AttentionCall) -> None:
        """Take note of a layer of the model."""
        self._layers.add(call)

    def fade(self, options: Mapping[str, Any]) -> float:
        """delta(t) of the paper at a model call; 0 where the guidance is over."""
        return fade(self._clock.place(options), self._settings.preset.guidance)

    def window(self, options: Mapping[str, Any], items: int, frames: int) -> Window:
        """What a model call shows, of `items` rows for each conditioning."""
        return window_of(options, items, frames, self._shape)

    def read(self, uuid: Any, call: AttentionCall, options: Mapping[str, Any]) -> None:
        """Take in the call of a chosen layer for one conditioning."""
        one = self._counted.get(uuid)
        if one is None:
            return
        window = self.window(options, len(call.queries), call.frames)
        known, target = self.readings.setdefault(uuid, {}), one.target
        for row, item in enumerate(window.items):
            reading = known.setdefault(item, PictureReading(target.tokens, target.counts, one.layout.length))
            reading.add(call, row, window.frames)
        self._frames = window.total

    def layers_read(self, options: Mapping[str, Any]) -> None:
        """All chosen layers of a model call were read; decides once every conditioning has been."""
        shown = [reading for known in self.readings.values() for reading in known.values()]
        every_item = all(len(known) == self._shape[0] for known in self.readings.values())
        if (
            set(self.readings) == set(self._counted)
            and every_item
            and all(one.is_complete(self._frames) for one in shown)
        ):
            self._decide(options)

    def _call_done(self, options: Mapping[str, Any]) -> None:
        reference = self._clock.reference
        is_over = reference is not None and step_of(options) > reference
        if is_over and self._may_restart and self.readings and not self.guides:
            self._decide(options)  # a conditioning of this run was not active at the reference step

    def _decide(self, options: Mapping[str, Any]) -> None:
        settings = self._settings
        problems = (reading.problem() for known in self.readings.values() for reading in known.values())
        self.left_alone = next((problem for problem in problems if problem is not None), None)
        if self.left_alone is not None:
            self.readings.clear()
            if self._was_shortened:
                raise self.restart
            return
        self.read_at = step_of(options), float(options["sigmas"].flatten()[0])
        first = self.readings.get(self.counted[0].conditioning["uuid"], {})
        shown = {item: first[item].maps() for item in sorted(first)}
        self.maps = [one.maps for one in shown.values()]
        for uuid, readings in self.readings.items():
            of_first = shown if readings is first else {}
            self.guides[uuid] = {
                item: self._guide(self._counted[uuid], reading.layouts(settings.preset, of_first.get(item)))
                for item, reading in sorted(readings.items())
            }
        self.readings.clear()
        guides = [guide for one in self.guides.values() for guide in one.values()]
        if self._was_shortened or (settings.strength > 0 and any(guide.layouts.changed for guide in guides)):
            raise self.restart

    @property
    def _was_shortened(self) -> bool:
        """Whether model calls were saved so far, which the picture itself is not to see."""
        return self._cache is not None and self._cache.skipped > 0

    def _guide(self, one: CountedConditioning, layouts: Layouts) -> PictureGuide:
        preset, strength = self._settings.preset, self._settings.strength
        return PictureGuide(layouts, one.target.tokens, one.layout.length, preset, strength)

    def guided(self) -> bool:
        """Whether attention is biased."""
        return not self._may_restart
