"""Saves model calls on the way to the reference step (EasyCache, as the NUMINA paper uses it in its first phase).

Where the model's answer would hardly differ, the last one's difference to its input is taken over. Nothing of it reaches the
picture: the run that is guided computes everything.

How much it would differ is estimated from how far the input has moved, and added up over the steps since the last computed
one. "easycache" is that method's own rule: from one step's input to the next, added before it is decided. "release" is that
of NUMINA's code: from the last computed input on, which later steps do not replace, added after it is decided, so that a
computed step is always followed by one that is skipped; and it looks at the positive conditioning's answer alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ...core.numina import STEPS
from .clock import step_of
from .settings import CacheRule

THRESHOLD = 0.05  # of the estimated change, as in NUMINA's released code
_POSITIVE = 0  # ComfyUI's number of the positive conditioning
WARM_UP = 10 / STEPS  # share of the steps that are all computed


@dataclass
class _Answer:
    """What was seen at the last computed step: the input and the answer, on the rows that the rule looks at."""

    x: Tensor
    answer: Tensor
    change: float | None = None  # of the answer, for a change of the input


@dataclass
class FirstRunCache:
    """Wraps the model's forward during the first run.

    Attributes:
        steps: of the whole run.
        reference: the step that layouts are read in, which is always computed.
        rule: when a step is skipped.
        skipped: model calls that were saved.
    """

    steps: int
    reference: int
    rule: CacheRule = "easycache"
    skipped: int = 0
    _differences: dict[tuple[Any, ...], Tensor] = field(default_factory=dict)
    _level: float | None = None
    _skips: bool = False
    _last: _Answer | None = None
    _drift: float = 0.0
    _before: Tensor | None = None

    def __call__(self, executor: Any, x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """DIFFUSION_MODEL wrapper."""
        options = _options_of(args, kwargs)
        if options is None:
            return executor(x, *args, **kwargs)
        key, level = tuple(options.get("uuids", ())), float(options["sigmas"].flatten()[0])
        is_first = level != self._level
        if is_first:
            self._level = level
            self._skips = self._may_skip(x, step_of(options))
        known = self._differences.get(key)
        if self._skips and known is not None and known.shape[0] == x.shape[0]:
            self.skipped += 1
            return x[:, : known.shape[1]] + known
        answer: Tensor = executor(x, *args, **kwargs)
        latent = x[:, : answer.shape[1]]
        self._differences[key] = answer - latent
        rows = self._rows(options, len(x), is_first)
        if rows is not None:
            self._computed(latent[rows], answer[rows])
        return answer

    def _rows(self, options: Mapping[str, Any], batch: int, is_first: bool) -> slice | None:
        """The rows of a computed call that the rule looks at."""
        if self.rule == "easycache":
            return slice(None) if is_first else None
        kinds = list(options.get("cond_or_uncond", ()))
        each = batch // max(len(kinds), 1)
        return slice(kinds.index(_POSITIVE) * each, (kinds.index(_POSITIVE) + 1) * each) if _POSITIVE in kinds else None

    def _may_skip(self, x: Tensor, step: int) -> bool:
        """Whether the answer has changed little enough since it was last computed; whole steps are skipped or none."""
        last, before = self._last, self._before
        if last is None or last.change is None or before is None or x.shape[0] % before.shape[0]:
            return False
        # All conditionings of a step have one input.
        latent = x[: len(before), : last.answer.shape[1]]
        is_late = self.rule == "release" and self._drift >= THRESHOLD  # decided by the steps before this one
        self._drift += last.change * _mean_distance(latent, before) / max(float(last.answer.abs().mean()), 1e-10)
        if self.rule == "easycache":
            self._before, is_late = latent, self._drift >= THRESHOLD
        if step >= self.reference or step < WARM_UP * self.steps or is_late:
            self._drift = 0.0
            return False
        return True

    def _computed(self, x: Tensor, answer: Tensor) -> None:
        change, last = None, self._last
        if last is not None and last.x.shape == x.shape:
            moved = _mean_distance(x, last.x)
            change = _mean_distance(answer, last.answer) / moved if moved > 1e-10 else None
        self._last, self._before = _Answer(x, answer, change), x


def _mean_distance(one: Tensor, other: Tensor) -> float:
    return float((one - other).abs().mean())


def _options_of(args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """ComfyUI's transformer_options, which each architecture takes at another place."""
    found = (
        one for one in (kwargs.get("transformer_options"), *args) if isinstance(one, dict) and "sample_sigmas" in one
    )
    return next(found, None)
