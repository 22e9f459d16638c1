"""One sampling run under NUMINA: reads layouts on the way, and biases attention once they are known.

The run starts as the ordinary one. Inside the reference step, as soon as the chosen layers have shown their attention, it is
known whether anything is to change. If not, the run simply goes on and is the picture; else it is broken off there, and a
second one starts from the same noise with the bias.
"""

from __future__ import annotations

from typing import Any

from comfy.patcher_extension import WrappersMP, add_wrapper_with_key

from ..attention.hook import hooked_options
from ..prompts.conditionings import CountedConditioning
from ..sampling.whole_image import on_one_device
from .first_run_cache import FirstRunCache
from .layout_bias import LayoutBias
from .layout_reader import LayoutReader
from .settings import RunSetup
from .shared_guide import Guides

_KEY = "headcount_numina_cache"


class Restart(Exception):
    """Breaks a run off: there is something to change."""


class GuidedRun:
    """State of one run; dropped with it.

    Attributes:
        restart: what a run that is to be started again is broken off with.
        counted: the conditionings that count something.
        reader: reads the layouts, until there is something to change.
        is_guided: attention is biased.
    """

    def __init__(self, counted: list[CountedConditioning], setup: RunSetup) -> None:
        self.restart = Restart()
        self.counted = counted
        self.reader = LayoutReader(counted, setup, self._decided)
        self.is_guided = False
        self._setup = setup
        self._guides: Guides = self.reader.guides
        rule, clock = setup.settings.cache_rule, setup.clock
        self._cache = FirstRunCache(len(clock.places), clock.reference, rule) if rule and clock.reference else None

    def options(self, model_options: dict[str, Any]) -> dict[str, Any]:
        """A copy of `model_options` under which the run is read, or guided."""
        hook = LayoutBias(self._guides, self._setup) if self.is_guided else self.reader
        options = on_one_device(hooked_options(model_options, hook))
        if self._cache is not None and not self.is_guided:
            add_wrapper_with_key(WrappersMP.DIFFUSION_MODEL, _KEY, self._cache, options, is_model_options=True)
        return options

    @property
    def guides(self) -> Guides:
        """What the run is guided by; empty as long as it is not."""
        return self._guides if self.is_guided else {}

    def follow(self, guides: Guides) -> None:
        """Be guided by what another run read."""
        self._guides = guides
        self.begin_again()

    def begin_again(self) -> None:
        """From here on the run is guided and nothing is read."""
        self.is_guided = True

    def _decided(self) -> None:
        was_shortened = self._cache is not None and self._cache.skipped > 0
        is_another = was_shortened or self.reader.has_changed_attention  # which the picture itself is not to see
        if is_another or self.reader.is_guiding:
            raise self.restart
