"""Keeps what the model answered while seeds were tried, so that the sampler of the chosen one goes on where its look ended.

A sampler's way follows from its noise and the model's answers. A sampler that asks the very same again, of the same model with
the same prompts and cfg, is given the kept answer: the picture is that of a plain run of the seed, to the bit, whatever the
sampler remembers of earlier steps. Where anything differs, the model is asked.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import wraps
from typing import Any

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..sampling.steered_sampler import REPEATED_KEY, STEERED_KEY, ModelProxy, is_steered
from ..sampling.step_tracker import StepTracker, known_name
from .runs import KEY as SEARCH_KEY
from .runs import put_outermost

_KEY = "headcount_call_memory"
_KEEPS_NO_STATE = frozenset({STEERED_KEY, SEARCH_KEY, _KEY, "torch.compile"})  # of ISAC, the steps are kept too
_CALLED_EACH_STEP = (
    "model_function_wrapper", "sampler_calc_cond_batch_function", "sampler_cfg_function", "sampler_pre_cfg_function",
    "sampler_post_cfg_function",
)  # fmt: skip


@dataclass(frozen=True)
class ModelCall:
    """One call of a sampler about one candidate; all tensors are (1, C, ...) on the CPU.

    Attributes:
        asked: the state that it asked about.
        sigma: its noise level.
        left: the state after the call, where a node that steers moved it; else None.
        answer: the predicted clean latent.
    """

    asked: Tensor
    sigma: float
    left: Tensor | None
    answer: Tensor


@dataclass
class KeptRun:
    """What is kept of one candidate; all tensors are (1, C, ...) on the CPU.

    Attributes:
        noise: what a sampler is given to make it.
        calls: from the first on.
        begin: of a variation: the state and the noise levels that its run begins with, in place of the sampler's own.
    """

    noise: Tensor
    calls: list[ModelCall] = field(default_factory=list)
    begin: tuple[Tensor, Tensor] | None = None


@dataclass
class CallMemory:
    """What is kept of the candidates of one search.

    Attributes:
        runs: by candidate.
        question: what the model was asked with; None before the first run.
    """

    runs: dict[int, KeptRun] = field(default_factory=dict)
    question: Any = None

    def of(self, candidates: Iterable[int]) -> CallMemory:
        """What is kept of these candidates alone."""
        return CallMemory({one: self.runs[one] for one in candidates if one in self.runs}, self.question)

    def keep_only(self, candidates: Iterable[int]) -> None:
        """Let go of all others."""
        self.runs = self.of(candidates).runs


def can_remember(model: Any) -> bool:
    """Whether no node on the model may have to see every step of a run.

    EasyCache and TeaCache reuse earlier answers, and APG a mean of earlier guidance: such functions do not see the steps that
    are repeated. What a function keeps cannot be told from outside, so any that is called at each step counts. Patches of
    weights and of attention are taken to keep nothing.
    """
    options = model.model_options
    inner = options["transformer_options"]
    groups = (model.wrappers, model.callbacks, inner.get("wrappers", {}), inner.get("callbacks", {}))
    keys = {key for group in groups for by_key in group.values() for key, functions in by_key.items() if functions}
    return keys <= _KEEPS_NO_STATE and not any(options.get(name) for name in _CALLED_EACH_STEP)


def recording(model: Any, memory: CallMemory, candidates: Sequence[int], is_variation: bool = False) -> Any:
    """A clone of `model` whose next run is of these candidates, in this order; what it asks is kept."""

    def start(
        question: Any, options: Any, noise: Tensor, x: Tensor, levels: Tensor
    ) -> tuple[_Recording, Tensor, Tensor]:
        memory.question = memory.question or question
        begins = [(row, levels.to("cpu", copy=True)) if is_variation else None for row in _rows(x)]
        runs = [KeptRun(row, begin=begin) for row, begin in zip(_rows(noise), begins, strict=True)]
        memory.runs |= dict(zip(candidates, runs, strict=True))
        return _Recording(runs, _hooks(options)), x, levels

    return _with_run(model, start)


def remembering(model: Any, memory: CallMemory) -> Any:
    """A clone of `model` whose runs begin with what is kept of a candidate, where they are of one."""

    def start(
        question: Any, options: Any, noise: Tensor, x: Tensor, levels: Tensor
    ) -> tuple[_Repeating, Tensor, Tensor]:
        kept = [next((one for one in memory.runs.values() if _is_same(one.noise, row)), None) for row in _rows(noise)]
        runs = [one for one in kept if one is not None]
        if len(runs) < len(kept) or not _is_same(memory.question, question):
            runs = []
        begin = runs[0].begin if len(runs) == 1 else None
        x, levels = (x, levels) if begin is None else (begin[0].to(x), begin[1].to(levels))
        return _Repeating(runs), x, levels

    return _with_run(model, start) if memory.runs else model


class _Recording:
    """Keeps what a run asks, unless its sampler reads more than the answer."""

    is_repeated = False

    def __init__(self, runs: Sequence[KeptRun], hooks: int) -> None:
        self._runs, self._hooks = runs, hooks

    def ask(self, model: Any, x: Tensor, sigma: Tensor, options: dict[str, Any], **kwargs: Any) -> Tensor:
        """The model's answer."""
        asked = _rows(x)
        answer: Tensor = model(x, sigma, model_options=options, **kwargs)
        if _hooks(options) == self._hooks:
            for run, before, after, one in zip(self._runs, asked, _rows(x), _rows(answer), strict=True):
                left = None if torch.equal(before, after) else after
                run.calls.append(ModelCall(before, float(sigma.flatten()[0]), left, one))
        return answer


class _Repeating:
    """Repeats what is kept for as long as a run asks the same."""

    def __init__(self, runs: Sequence[KeptRun]) -> None:
        self._runs, self._done = runs, 0

    @property
    def is_repeated(self) -> bool:
        """Whether the model was never asked, and kept answers were."""
        return self._done > 0 and bool(self._runs)

    def ask(self, model: Any, x: Tensor, sigma: Tensor, options: dict[str, Any], **kwargs: Any) -> Tensor:
        """The kept answer, or the model's."""
        calls = [run.calls[self._done] for run in self._runs if self._done < len(run.calls)]
        if len(calls) < max(1, len(self._runs)) or not _asks_again(calls, x, sigma):
            self._runs = []
            answer: Tensor = model(x, sigma, model_options=options, **kwargs)
            return answer
        self._done += 1
        if any(call.left is not None for call in calls):
            x.copy_(torch.cat([call.asked if call.left is None else call.left for call in calls]))
        return torch.cat([call.answer for call in calls]).to(x)


def _hooks(options: Mapping[str, Any]) -> int:
    """How many look at an answer after cfg: samplers of the kind cfg_pp read the unguided prediction so."""
    return len(options.get("sampler_post_cfg_function", ()))


def _asks_again(calls: Sequence[ModelCall], x: Tensor, sigma: Tensor) -> bool:
    level = float(sigma.flatten()[0])
    return all(call.sigma == level and _is_same(call.asked, row) for call, row in zip(calls, _rows(x), strict=True))


def _with_run(model: Any, start: Any) -> Any:
    """A clone of `model`; `start(question, options, noise, x, levels)` says whom its sampler asks, and where it begins."""

    def sample(
        executor: Any, guider: Any, sigmas: Any, extra_args: Any, callback: Any, noise: Tensor, *rest: Any
    ) -> Any:
        sampler = executor.class_obj
        original: Any = getattr(sampler, "sampler_function", None)
        # A functools.partial or an object of another pack has no name to know it by.
        if not getattr(original, "__name__", "") or not _is_repeatable(guider.model_patcher, original, sigmas):
            return executor(guider, sigmas, extra_args, callback, noise, *rest)
        question = _question(guider, original, sigmas, *rest[:2])

        @wraps(original)  # whoever steers this run knows the sampler by its name
        def asking(asked: Any, x: Tensor, levels: Tensor, *args: Any, **options: Any) -> Tensor:
            run, x, levels = start(question, extra_args["model_options"], noise, x, levels)
            samples: Tensor = original(ModelProxy(asked, run), x, levels, *args, **options)
            extra_args[REPEATED_KEY] = run.is_repeated
            return samples

        sampler.sampler_function = asking
        try:
            return executor(guider, sigmas, extra_args, callback, noise, *rest)
        finally:
            sampler.sampler_function = original

    clone = model.clone()
    put_outermost(clone, WrappersMP.SAMPLER_SAMPLE, _KEY, sample)
    return clone


def _is_repeatable(patcher: Any, function: Any, sigmas: Tensor) -> bool:
    """Whether a steered run can go on after steps that its steering did not see: it moves the sampler's own state."""
    return not is_steered(patcher) or not StepTracker(known_name(function), len(sigmas)).beside


def _question(guider: Any, function: Any, sigmas: Tensor, latent: Tensor | None, mask: Tensor | None) -> list[Any]:
    """Everything but the noise that decides what a run asks and is answered."""
    conds = {
        side: [{key: value for key, value in cond.items() if key != "uuid"} for cond in given]
        for side, given in guider.original_conds.items()
    }
    rows = [None if one is None else one[:1].cpu() for one in (latent, mask)]
    levels = sigmas.to("cpu", copy=True)  # uni_pc writes into its own
    return [function.__name__, levels, type(guider).__name__, guider.cfg, conds, _put_on(guider.model_patcher), *rows]


def _put_on(patcher: Any) -> list[Any]:
    """What nodes have put on a model, but for the search itself."""
    options = {**patcher.model_options, "transformer_options": dict(patcher.model_options["transformer_options"])}
    options["transformer_options"]["wrappers"] = _others(options["transformer_options"].get("wrappers", {}))
    groups = [_others(group) for group in (patcher.wrappers, patcher.callbacks)]
    return [patcher.patches_uuid, dict(patcher.object_patches), options, *groups]


def _others(by_kind: Mapping[str, Mapping[Any, Any]]) -> dict[str, dict[Any, Any]]:
    """Wrappers of other nodes; a kind that only the search has is left out."""
    others = {
        kind: {key: list(ones) for key, ones in by_key.items() if ones and key not in (_KEY, SEARCH_KEY)}
        for kind, by_key in by_kind.items()
    }
    return {kind: by_key for kind, by_key in others.items() if by_key}


def _rows(x: Tensor) -> list[Tensor]:
    copied = x.detach().to("cpu", copy=True)
    return list(copied.split(1))


def _is_same(one: Any, other: Any) -> bool:
    """Equality that looks into tensors; what cannot be compared is not the same."""
    if one is other:
        return True
    if type(one) is not type(other):
        return False
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(_is_same(value, other[key]) for key, value in one.items())
    if isinstance(one, list | tuple):
        return len(one) == len(other) and all(map(_is_same, one, other))
    try:
        if isinstance(one, Tensor):
            return one.shape == other.shape and one.dtype == other.dtype and torch.equal(one.cpu(), other.cpu())
        return bool(one == other)
    except Exception:
        # Arrays and dataclasses of tensors have no truth value; classes of other packs may raise anything.
        return False
