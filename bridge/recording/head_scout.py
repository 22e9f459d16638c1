"""Asks a model which heads of its joint attention localise the counted nouns, see `core.attention.localising`."""

from __future__ import annotations

import copy
import hashlib
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
from ..sampling.own_call import without_compile

_MOST_CELLS = 32 * 32  # that are compared: they say enough, and rows of joint attention are long
_TEXT = "c_crossattn"
_OUTSIDE = ("control", "hooks", "gligen")  # of a conditioning: what the model is told beside it, which no digest covers
_RANGE = ("timestep_start", "timestep_end")

KnownHeads = MutableMapping[bytes, Heads]
"""What a model was asked, as a digest, to the heads that localise then; may outlive a run."""


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
    """The heads of a model that localise what a conditioning counts, found once for each of its prompts and sizes.

    Args:
        inner_model: ComfyUI's BaseModel, loaded.
        known: what was found before on the same patched model; it is added to.
    """

    def __init__(self, inner_model: Any, family: Family, counted: CountedConditioning, known: KnownHeads) -> None:
        self._model, self._family, self._counted, self._known = inner_model, family, counted, known
        self._of_shape: dict[tuple[int, ...], Heads] = {}

    def __call__(self, x: Tensor, options: dict[str, Any]) -> Heads:
        """See `scouted_heads`."""
        shape = tuple(x.shape[1:])
        if shape not in self._of_shape:
            self._of_shape[shape] = self._found(x, options)
        return self._of_shape[shape]

    def _found(self, x: Tensor, options: dict[str, Any]) -> Heads:
        conditioning = self._counted.conditioning
        if any(conditioning.get(name) is not None for name in _OUTSIDE):
            return scouted_heads(self._model, self._family, self._counted, x, options)
        key = _digest(conditioning.get("model_conds", {}), tuple(x.shape[1:]))
        if key not in self._known:
            self._known[key] = scouted_heads(self._model, self._family, self._counted, x, options)
        return self._known[key]


def _digest(conds: Mapping[str, Any], shape: tuple[int, ...]) -> bytes:
    """Of all that a conditioning tells the model."""
    found = hashlib.sha256(repr(shape).encode())
    for name, holder in sorted(conds.items()):
        told = getattr(holder, "cond", None)
        for part in told if isinstance(told, list | tuple) else (told,):
            is_tensor = isinstance(part, Tensor)
            found.update(f"{name} {tuple(part.shape) if is_tensor else repr(part)}".encode())
            if is_tensor:
                found.update(part.detach().cpu().contiguous().reshape(-1).view(torch.uint8).numpy())
    return found.digest()


def scouted_heads(
    inner_model: Any, family: Family, counted: CountedConditioning, x: Tensor, options: dict[str, Any]
) -> Heads:
    """The heads that localise; none where the model has no joint attention or its text cannot be changed.

    The model runs twice without a graph, the second time with the nouns' tokens exchanged for the mean of its text, on the
    same noise for every seed, so that they depend on nothing that another run may have had otherwise.

    Args:
        inner_model: ComfyUI's BaseModel, loaded.
        x: (B, C, h, w) or (B, C, 1, h, w) a state of the sampler, whose shape, type and place are taken.
        options: the run's model options.
    """
    reader = family.reader((x.shape[-2], x.shape[-1]))
    if not reader.one_grid or x[0, 0].numel() != x.shape[-2] * x.shape[-1]:
        return {}
    tokens = tuple(sorted({position for noun in counted.target.tokens for position in noun}))
    without = _without(counted.conditioning, tokens, counted.text_layout.length)
    if without is None:
        return {}

    options = without_compile(comfy.model_patcher.create_model_options_clone(options))
    options["transformer_options"][FOR_GRADIENT] = True  # no recorder takes these calls for the sampler's
    state, sigma = _noise(inner_model.model_sampling, x)

    def answer(conditioning: Mapping[str, Any], used: dict[str, Any]) -> Tensor:
        at_any_level = {name: value for name, value in conditioning.items() if name not in _RANGE}
        given: Tensor = comfy.samplers.calc_cond_batch(inner_model, [[at_any_level]], state.clone(), sigma, used)[0]
        return given.float()

    sink = _NounMaps(tokens)
    capture = Capture(reader, counted.conditioning.get("uuid"), sink, of_gradients=True)
    whole = answer(counted.conditioning, hooked_options(options, capture))
    if not sink.maps:
        return {}
    change = (whole - answer(without, options)).square().mean(1)
    return localising_heads(sink.maps, change.view(len(x), *x.shape[-2:]), sink.grid)


def _noise(sampling: Any, x: Tensor) -> tuple[Tensor, Tensor]:
    """The same pure noise for every run and each image of it, as `x`, and its level (B,)."""
    noise = torch.randn((1, *x.shape[1:]), generator=torch.Generator().manual_seed(0)).to(x).expand(x.shape)
    sigma = torch.as_tensor(sampling.sigma_max).to(x).repeat(len(x))
    return sampling.noise_scaling(sigma, noise, torch.zeros_like(noise), True), sigma


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
