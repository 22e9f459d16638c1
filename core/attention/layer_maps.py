"""Where words are looked at from in parts of the model: thirds of its depth, and single layers with their strongest head."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Literal

import torch
from torch import Tensor

from .calls import AttentionCall, Grid, head_probabilities
from .mean_maps import HeadSums
from .word_maps import Word, small_maps, word_selector

HeadChoice = Literal["mean", "strongest"]
THIRDS = ("first third", "middle third", "last third")
_MAX_LAYERS = 6  # that are shown one by one, beside the thirds


@dataclass(frozen=True)
class LayerMaps:
    """Attention to the kept words in a part of the model.

    Attributes:
        layer: one of `THIRDS`, or the name of a layer, such as "output.3.0".
        heads: the mean over the heads, or each word's strongest one: that whose map has the highest peak.
        step: the step that was looked at, from 0; None for the mean over all recorded steps.
        heat: (B, k, p) share of a pixel's attention, 0 to 1.
    """

    layer: str
    heads: HeadChoice
    step: int | None
    heat: Tensor


@dataclass(frozen=True)
class LayerPlan:
    """What is known of a model from one call to the next.

    Attributes:
        text_calls: how many of its attention calls look at text.
        grid: (h, w) of the maps of its layers.
    """

    text_calls: int
    grid: Grid


@dataclass(frozen=True)
class LayerRequest:
    """Asks for maps of parts of the model.

    Attributes:
        words: whose maps.
        length: text tokens of the prompt's context; ComfyUI repeats the shorter of two contexts.
        step: the step to look at single layers at; None for the thirds alone.
        plan: what an earlier step of the run has shown; None in its first step.
    """

    words: tuple[Word, ...]
    length: int
    step: int | None = None
    plan: LayerPlan | None = None


def spread_evenly(many: int, most: int) -> list[int]:
    """At most `most` of the indices below `many`, in order, the first and the last one among them."""
    return sorted(set(torch.linspace(0, many - 1, min(many, most)).round().long().tolist())) if many else []


@dataclass
class TextLayers:
    """Gathers such maps from the calls of one model call as they come.

    Attributes:
        request: whose maps, and whether single layers are wanted.
    """

    request: LayerRequest
    _parts: list[tuple[Grid, Tensor, int]] = field(default_factory=list)
    _held: list[AttentionCall] = field(default_factory=list)
    _single: list[LayerMaps] = field(default_factory=list)
    _selectors: dict[int, Tensor] = field(default_factory=dict)

    def add(self, call: AttentionCall, text: Tensor) -> None:
        """Take in a call that looks at text.

        Args:
            text: (B, N, T) its attention to the text, the mean over the heads.
        """
        place, plan = len(self._parts), self.request.plan
        heads = call.queries.shape[1]
        self._parts.append((call.grid, self._words(text) * heads, heads))
        if self.request.step is None:
            return
        if plan is None:
            self._held.append(call)  # which layers are shown, and how large, is not known before the first step is over
        elif place in spread_evenly(plan.text_calls, _MAX_LAYERS):
            self._add_single(call, plan.grid)

    def plan(self, grid: Grid) -> LayerPlan:
        """What the next step may go by; `grid` is that of the maps."""
        return LayerPlan(len(self._parts), grid)

    def maps(self, grid: Grid) -> tuple[LayerMaps, ...]:
        """Maps on `grid` of the thirds that look at text at all, then of a few single layers where they were wanted."""
        for place in spread_evenly(len(self._held), _MAX_LAYERS):
            self._add_single(self._held[place], grid)
        self._held.clear()
        thirds: list[LayerMaps] = []
        for index, name in enumerate(THIRDS):
            part = [one for place, one in enumerate(self._parts) if 3 * place // len(self._parts) == index]
            if part:
                thirds.append(LayerMaps(name, "mean", None, _mean(part, grid)))
        return (*thirds, *self._single)

    def _words(self, text: Tensor) -> Tensor:
        """(B, N, T) attention to the text to (B, N, k) attention to the words."""
        width = text.shape[-1]
        if width not in self._selectors:
            self._selectors[width] = word_selector(self.request.words, width, self.request.length, text)
        return text @ self._selectors[width]

    def _add_single(self, call: AttentionCall, grid: Grid) -> None:
        mean, strongest = _heads(call, self._words, grid)
        self._single.append(LayerMaps(call.layer, "mean", self.request.step, mean))
        self._single.append(LayerMaps(call.layer, "strongest", self.request.step, strongest))


def _mean(parts: Sequence[tuple[Grid, Tensor, int]], target: Grid) -> Tensor:
    """(B, k, p) the mean over heads and layers; what lies on one grid is added up before it is resized."""
    sums: dict[tuple[Grid, Grid], Tensor] = {}
    for grid, words, _ in parts:
        sums[grid, grid] = sums[grid, grid] + words if (grid, grid) in sums else words
    return HeadSums(sums, sum(heads for *_, heads in parts)).mean("cross", target).transpose(1, 2)


def _heads(call: AttentionCall, words: Callable[[Tensor], Tensor], grid: Grid) -> tuple[Tensor, Tensor]:
    """Mean over the heads and strongest head: twice (B, k, p). One head's matrix is alive at a time."""
    part, heads = call.columns("cross") or slice(None), call.queries.shape[1]

    def heat_of(head: int) -> Tensor:
        return small_maps(words(head_probabilities(call, head)[..., part]), call.grid, grid)

    total = strongest = heat_of(0)
    for head in range(1, heads):
        heat = heat_of(head)
        total = total + heat
        higher = heat.amax(-1, keepdim=True) > strongest.amax(-1, keepdim=True)
        strongest = torch.where(higher, heat, strongest)
    return total / heads, strongest
