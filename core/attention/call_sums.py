"""Maps of one model call, taken out of each attention call as it comes, so that hardly any query or key outlives its call."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from .call_list import CallList
from .calls import AttentionCall, Grid, Kind
from .grids import halved
from .layer_maps import LayerMaps, LayerPlan, LayerRequest, TextLayers
from .localising import Heads, localised
from .mean_maps import HeadSums, fold_repeats, probabilities_by_kind
from .word_maps import step_grid

# Self-attention is kept on grids of up to this many pixels; a finer one is pooled. 32 x 32 in fp16 takes 2 MB.
MAX_SELF_PIXELS = 32 * 32


@dataclass(frozen=True)
class RecordedMaps:
    """Mean maps of one model call, self-attention on a coarser grid than cross-attention.

    Attributes:
        cross_attention: (B, P, T) on `grid`.
        self_attention: (B, p, p) on `self_grid`, rows sum to 1.
        layers: parts of the model by themselves, where words were asked for.
    """

    cross_attention: Tensor
    grid: Grid
    self_attention: Tensor
    self_grid: Grid
    layers: tuple[LayerMaps, ...] = ()


@dataclass
class CallSums:
    """Sums over heads and layers of one model call.

    Too fine self-attention waits until it is known whether the model has a coarser one, and single layers wait in the first
    step of a run; nothing else is kept.

    Attributes:
        request: asks for maps of parts of the model, and says how long the prompt's context is; None for neither.
        waiting: the calls that wait, see `CallList`.
        heads: of joint attention, those whose mean is kept, see `localising`; single layers and thirds keep all.
    """

    request: LayerRequest | None = None
    waiting: CallList = field(default_factory=CallList)
    heads: Heads = field(default_factory=dict)
    _sums: dict[Kind, HeadSums] = field(default_factory=lambda: {"self": HeadSums(), "cross": HeadSums()})
    _layers: TextLayers | None = field(default=None, init=False)
    _batch: int = 0

    def __post_init__(self) -> None:
        self._layers = None if self.request is None else TextLayers(self.request)

    @torch.no_grad()
    def add(self, call: AttentionCall) -> None:
        """Take in the model's next call."""
        self.waiting.add(call)
        for settled in self.waiting.take_settled():
            self._add(settled)

    def _add(self, call: AttentionCall) -> None:
        self._batch = len(call.queries)
        found = probabilities_by_kind(call)
        if "self" in found:
            self._sums["self"].add(call, found["self"])
        if "cross" in found:
            self._add_text(call, found["cross"])

    def _add_text(self, call: AttentionCall, probabilities: Tensor) -> None:
        if self._layers is not None:
            self._layers.add(call, probabilities)
        part = localised(call, self.heads)
        if part is call:  # the mean of all its heads is at hand
            self._sums["cross"].add(call, probabilities)
        elif part is not None:
            self._sums["cross"].add(part, probabilities_by_kind(part, ("cross",))["cross"])

    @property
    def is_complete(self) -> bool:
        """Whether attention of both kinds has come."""
        kinds = {kind for kind, sums in self._sums.items() if sums.parts}
        return kinds | {call.kind for call in self.waiting.calls} >= {"self", "cross"}

    @property
    def plan(self) -> LayerPlan | None:
        """What the next step of the run may go by, once this one is over."""
        if self._layers is None or not self._sums["cross"].parts:
            return None
        return self._layers.plan(self._layer_grid)

    @property
    def _layer_grid(self) -> Grid:
        return step_grid(self._sums["cross"].grid, self._batch)

    @torch.no_grad()
    def maps(self) -> RecordedMaps:
        """The means.

        Raises:
            CountError: no self-attention or no cross-attention was taken in.
        """
        for call in self.waiting.calls:
            self._add(call)
        self.waiting.calls.clear()
        own, text = self._sums["self"], self._sums["cross"]
        self_grid = halved(own.grid, MAX_SELF_PIXELS)
        attention, cross = own.mean("self", self_grid), text.mean("cross", text.grid)
        layers = () if self._layers is None else self._layers.maps(self._layer_grid)
        if self.request is not None:
            cross = fold_repeats(cross, self.request.length)
        return RecordedMaps(cross, text.grid, attention / attention.sum(-1, keepdim=True), self_grid, layers)


def recorded_maps(calls: Iterable[AttentionCall], request: LayerRequest | None = None) -> RecordedMaps:
    """Maps of calls that are all at hand.

    Raises:
        CountError: no self-attention or no cross-attention was recorded.
    """
    sums = CallSums(request)
    for call in calls:
        sums.add(call)
    return sums.maps()
