"""Where words are looked at from in parts of the model: thirds of its depth, and single layers with their strongest head."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ..errors import CountError
from .aggregate import HeadSums
from .calls import AttentionCall, Grid, head_probabilities
from .word_maps import Word, small_maps, word_selector

Heads = Literal["mean", "strongest"]
THIRDS = ("first third", "middle third", "last third")
_MOST_LAYERS = 6


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
    heads: Heads
    step: int | None
    heat: Tensor


@dataclass(frozen=True)
class LayerRequest:
    """Asks for maps of parts of the model.

    Attributes:
        words: whose maps.
        length: text tokens of the prompt's context; ComfyUI repeats the shorter of two contexts.
        step: the step to look at single layers at; None for the thirds alone.
    """

    words: tuple[Word, ...]
    length: int
    step: int | None = None


def by_depth(calls: Sequence[AttentionCall]) -> list[list[AttentionCall]]:
    """Calls in three parts, so that the ones that look at text fall evenly into them."""
    text = [call.columns("cross") is not None for call in calls]
    parts: list[list[AttentionCall]] = [[], [], []]
    passed = 0
    for call, has_text in zip(calls, text, strict=True):
        parts[min(3 * passed // max(sum(text), 1), 2)].append(call)
        passed += has_text
    return parts


def merged(parts: Sequence[HeadSums]) -> HeadSums:
    """What one `HeadSums` would hold that had taken in all that these did."""
    whole = HeadSums(heads=sum(part.heads for part in parts))
    for part in parts:
        for grids, own in part.parts.items():
            whole.parts[grids] = whole.parts[grids] + own if grids in whole.parts else own
    return whole


def layer_maps(
    calls: Sequence[AttentionCall], thirds: Sequence[HeadSums], request: LayerRequest, grid: Grid
) -> tuple[LayerMaps, ...]:
    """Maps of the thirds that look at text at all, then of a few single layers where the request names a step.

    Args:
        calls: of one model call.
        thirds: cross-attention of `by_depth(calls)`.
        grid: of the maps.
    """
    found = [
        LayerMaps(name, "mean", None, _third(part, request, grid))
        for name, part in zip(THIRDS, thirds, strict=True)
        if part.parts
    ]
    if request.step is not None:
        for call in _spread([call for call in calls if call.columns("cross") is not None]):
            mean, strongest = _heads(call, request, grid)
            found.append(LayerMaps(call.layer, "mean", request.step, mean))
            found.append(LayerMaps(call.layer, "strongest", request.step, strongest))
    return tuple(found)


def _third(sums: HeadSums, request: LayerRequest, grid: Grid) -> Tensor:
    """Only the columns of words are resized."""
    words = {grids: _words(own, request) for grids, own in sums.parts.items()}
    return HeadSums(words, sums.heads).mean("cross", grid).transpose(1, 2)


def _words(text: Tensor, request: LayerRequest) -> Tensor:
    return text @ word_selector(request.words, text.shape[-1], request.length, text)


def _spread(calls: list[AttentionCall]) -> list[AttentionCall]:
    """A few of the calls, the first and the last one among them."""
    places = torch.linspace(0, len(calls) - 1, min(_MOST_LAYERS, len(calls))).round().long().tolist()
    return [calls[place] for place in sorted(set(places))]


def _heads(call: AttentionCall, request: LayerRequest, grid: Grid) -> tuple[Tensor, Tensor]:
    """Mean over the heads and strongest head: twice (B, k, p). One head's matrix is alive at a time."""
    part, heads = call.columns("cross") or slice(None), call.queries.shape[1]
    total = strongest = None
    for head in range(heads):
        heat = small_maps(_words(head_probabilities(call, head)[..., part], request), call.grid, grid)
        if total is None or strongest is None:
            total, strongest = heat, heat
            continue
        total = total + heat
        higher = heat.amax(-1, keepdim=True) > strongest.amax(-1, keepdim=True)
        strongest = torch.where(higher, heat, strongest)
    if total is None or strongest is None:
        raise CountError(f"attention call '{call.layer}' has no heads")
    return total / heads, strongest
