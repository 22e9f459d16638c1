"""ISAC Attention Control as a patch of a ComfyUI model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import comfy.model_management
import comfy.model_sampling
from torch import Tensor

from ..core.attention.aggregate import aggregate
from ..core.attention.calls import AttentionCall
from ..core.attention.records import MOST_SELF_PIXELS, RunRecorder
from ..core.isac.anchored import SPACING, anchored_losses
from ..core.isac.objective import StepLosses, paper_losses
from ..core.isac.schedule import instance_to_class
from ..core.isac.step import StepMode, latent_step
from ..core.prompts.counts import Counts
from .attention_gradient import attention_gradient
from .conditionings import CountedConditioning, counted_conditionings
from .maps import MapsHandle
from .patched_model import with_runs
from .recorder import new_recorder

NODE = "ISAC Attention Control"
_KEY = "headcount_isac"


ObjectiveName = Literal["anchored", "paper"]


@dataclass(frozen=True)
class IsacSettings:
    """Settings of ISAC Attention Control; the defaults are those that do best on the Shapes model.

    Attributes:
        objective: "anchored", see `core.isac.anchored`, or "paper", see `core.isac.objective`.
        step_mode: how `step_size` is meant, see `latent_step`.
        step_size: eta for "paper" (0.01 there), a share of the latent's length for "relative".
        start_percent, end_percent: the part of the sampling that is steered, 0 to 1.
        spacing: "anchored" only: least distance between two instances, as a share of the picture's shorter side.
    """

    objective: ObjectiveName = "anchored"
    step_mode: StepMode = "relative"
    step_size: float = 0.08
    start_percent: float = 0.0
    end_percent: float = 1.0
    spacing: float = SPACING

    @property
    def does_nothing(self) -> bool:
        """True when no step would be taken."""
        return self.step_size == 0 or self.end_percent <= self.start_percent


def with_isac(model: Any, settings: IsacSettings, counts: Counts | None = None) -> tuple[Any, MapsHandle]:
    """A clone of `model` that is steered while it samples, and the handle that each run fills.

    What is counted is read from the positive conditioning when sampling starts, so one patched model serves several
    prompts. `model` itself is not changed.

    Raises:
        CountError: the model is of a family whose attention cannot be read.
    """
    return with_runs(model, _KEY, NODE, lambda guider, sigmas: _IsacRun(guider, sigmas, settings, counts))


class _IsacRun:
    """State of one sampling run; dropped with it."""

    def __init__(self, guider: Any, sigmas: Tensor, settings: IsacSettings, counts: Counts | None) -> None:
        self._inner = guider.inner_model
        self._settings = settings
        self._steps = max(len(sigmas) - 1, 1)
        sampling = self._inner.model_sampling
        self._first = float(sampling.percent_to_sigma(settings.start_percent))
        self._last = float(sampling.percent_to_sigma(settings.end_percent))
        self._noise_left = float(sampling.timestep(sigmas[0]) / sampling.timestep(sampling.sigma_max))
        self._is_flow = isinstance(sampling, comfy.model_sampling.CONST)
        self._counted = counted_conditionings(guider.conds.get("positive", []), NODE, counts)
        self._recorder: RunRecorder | None = new_recorder(self._counted)

    def at_state(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], step: int) -> dict[str, Any]:
        comfy.model_management.throw_exception_if_processing_interrupted()
        level = float(sigma[0])
        if self._last < level <= self._first:
            for index, counted in enumerate(self._counted):
                change = self._change(counted, x, sigma, model_options, step, record=index == 0)
                if change is not None:
                    x.add_(change.to(x))
        return model_options

    def _change(
        self,
        counted: CountedConditioning,
        x: Tensor,
        sigma: Tensor,
        model_options: dict[str, Any],
        step: int,
        record: bool,
    ) -> Tensor | None:
        needs_self = self._settings.objective == "paper"
        found = attention_gradient(
            self._inner,
            counted.conditioning,
            x,
            sigma,
            model_options,
            lambda calls: self._losses(calls, counted, step),
            most_self_pixels=None if needs_self else MOST_SELF_PIXELS,
        )
        if found is None:
            return None
        if record and self._recorder is not None:
            losses = found.losses
            self._recorder.add(step, float(sigma[0]), found.maps, losses.instance, losses.semantic)
        level = float(sigma[0])
        variance = 1.0 if self._is_flow else 1 + level**2
        settings = self._settings
        # Only the anchored losses say how far from right a layout is: they count in units of the instances' own strength.
        urgency = found.losses.total if settings.objective == "anchored" else None
        return latent_step(found.gradient, x, settings.step_mode, settings.step_size, variance, urgency)

    def _losses(self, calls: list[AttentionCall], counted: CountedConditioning, step: int) -> StepLosses:
        if self._settings.objective == "anchored":
            return anchored_losses(calls, counted.target, self._settings.spacing)
        weights = instance_to_class(step, self._steps, self._noise_left)
        return paper_losses(aggregate(calls), counted.target, weights)

    def finish(self) -> RunRecorder | None:
        """What the run recorded."""
        return self._recorder
