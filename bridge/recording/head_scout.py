"""Asks a model which heads of its joint attention localise the counted nouns, see `core.attention.localising`."""

from __future__ import annotations

import copy
from collections.abc import Mapping, MutableMapping
from typing import Any

import comfy.model_patcher
import comfy.samplers
import torch
from torch import Tensor

from ...core.attention import AttentionCall, Grid, Heads, localising_heads, mean_columns, of_heads, thinned
from ..attention.capture import Capture
from ..attention.hook import FOR_GRADIENT, hooked_options
from ..families.family import Family
from ..prompts.conditionings import CountedConditioning

_MOST_CELLS = 32 * 32  # that are compared: they say enough, and rows of joint attention are long
_TEXT = "c_crossattn"

KnownHeads = MutableMapping[tuple[int, ...], Heads]
"""Shape of the sampler's state to the heads that localise in a model; may outlive a run."""


class _NounMaps:
    """A `CallSink`: attention of each head of a joint call to the nouns."""

    def __init__(self, tokens: tuple[int, ...]) -> None:
        self.maps: dict[int, Tensor] = {}
        self.grid: Grid = (0, 0)
        self._tokens = tokens

    def add(self, call: AttentionCall) -> None:
        if call.kind != "joint":
            return
        small = thinned(call, _MOST_CELLS)
        heads = [mean_columns(of_heads(small, [head]), self._tokens).sum(-1) for head in range(call.queries.shape[1])]
        self.maps[call.place], self.grid = torch.stack(heads, 1), small.grid


class HeadScout:
    """The heads of a model that localise what a conditioning counts, found once for each shape of the sampler's state.

    Args:
        inner_model: ComfyUI's BaseModel, loaded.
        known: what was found before, of this conditioning; it is added to.
    """

    def __init__(self, inner_model: Any, family: Family, counted: CountedConditioning, known: KnownHeads) -> None:
        self._model, self._family, self._counted, self._known = inner_model, family, counted, known

    def __call__(self, x: Tensor, sigma: Tensor, options: dict[str, Any]) -> Heads:
        """See `scouted_heads`."""
        shape = tuple(x.shape)
        if shape not in self._known:
            self._known[shape] = scouted_heads(self._model, self._family, self._counted, x, sigma, options)
        return self._known[shape]


def scouted_heads(
    inner_model: Any, family: Family, counted: CountedConditioning, x: Tensor, sigma: Tensor, options: dict[str, Any]
) -> Heads:
    """The heads that localise at `x`; none where the model has no joint attention or its text cannot be changed.

    The model runs twice without a graph, the second time with the nouns' tokens exchanged for the mean of its text.

    Args:
        inner_model: ComfyUI's BaseModel, loaded.
        x: (B, C, h, w) the sampler's state, which is not changed.
        sigma: (B,) noise level.
        options: the run's model options.
    """
    reader = family.reader((x.shape[-2], x.shape[-1]))
    if x.ndim != 4 or not reader.one_grid:
        return {}
    tokens = tuple(sorted({position for noun in counted.target.tokens for position in noun}))
    without = _without(counted.conditioning, tokens, counted.text_layout.length)
    if without is None:
        return {}

    options = comfy.model_patcher.create_model_options_clone(options)
    options["transformer_options"][FOR_GRADIENT] = True  # no recorder takes these calls for the sampler's

    def answer(conditioning: Mapping[str, Any], used: dict[str, Any]) -> Tensor:
        given: Tensor = comfy.samplers.calc_cond_batch(inner_model, [[conditioning]], x.clone(), sigma.clone(), used)[0]
        return given.float()

    sink = _NounMaps(tokens)
    capture = Capture(reader, counted.conditioning.get("uuid"), sink, of_gradients=True)
    whole = answer(counted.conditioning, hooked_options(options, capture))
    if not sink.maps:
        return {}
    return localising_heads(sink.maps, (whole - answer(without, options)).square().mean(1), sink.grid)


def _without(conditioning: Mapping[str, Any], tokens: tuple[int, ...], length: int) -> dict[str, Any] | None:
    """A processed conditioning whose text lacks some tokens; None where that text is not what the positions are of."""
    given = conditioning.get("model_conds", {})
    text = getattr(given.get(_TEXT), "cond", None)
    if not isinstance(text, Tensor) or text.ndim != 3 or text.shape[1] != length:
        return None
    changed = text.clone()
    changed[:, list(tokens)] = text.mean(1, keepdim=True)
    replaced = copy.copy(given[_TEXT])
    replaced.cond = changed
    return {**conditioning, "model_conds": {**given, _TEXT: replaced}}
