"""Optimiser steps, for every training in this repository: AdamW, a schedule, averaged weights, and what a run needs to go on.

`demo.step_training` takes a fixed number of them; `training.counter_training` goes through epochs and validates.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from torch.optim.swa_utils import AveragedModel

Schedule = Callable[[Optimizer], LambdaLR]


@dataclass(frozen=True)
class StepSettings:
    """How a step is taken.

    Attributes:
        schedule: makes the learning rates' schedule for an optimiser, such as one of `transformers.optimization`; they are
            functions of the number of steps done.
        betas: of AdamW.
        max_gradient_norm: longer gradients are scaled down to it; None leaves them.
        ema_decay: of the running averages of the weights (Polyak); None keeps none.
        is_fused: AdamW in one kernel.
        scales_loss: as computing in fp16 needs it, so that small gradients do not become 0.
    """

    schedule: Schedule
    betas: tuple[float, float] = (0.9, 0.999)
    max_gradient_norm: float | None = None
    ema_decay: float | None = None
    is_fused: bool = False
    scales_loss: bool = False


class Trainer:
    """Trains a model's weights.

    Args:
        model: on the device that it is trained on.
        groups: AdamW's parameter groups, each with its "params", "lr" (the schedule's factor is 1) and "weight_decay".

    Attributes:
        step: number of steps done.
        parameters: of all groups; the optimiser passes over those that get no gradient.
    """

    def __init__(self, model: nn.Module, groups: Sequence[dict[str, Any]], settings: StepSettings) -> None:
        self.step = 0
        self.parameters: list[nn.Parameter] = [parameter for group in groups for parameter in group["params"]]
        self.optimiser = torch.optim.AdamW(groups, betas=settings.betas, fused=settings.is_fused or None)
        self._model, self._max_gradient_norm = model, settings.max_gradient_norm
        self._schedule = settings.schedule(self.optimiser)
        self._scaler = torch.amp.GradScaler(self.parameters[0].device.type, enabled=settings.scales_loss)
        self._average = None
        if settings.ema_decay is not None:
            self._average = AveragedModel(model, multi_avg_fn=_warmed_up_average(settings.ema_decay))

    @property
    def averaged(self) -> nn.Module:
        """The model with its averaged weights."""
        if self._average is None:
            raise ValueError("this training keeps no averages: give StepSettings an ema_decay")
        return self._average.module

    def take_step(self, losses: Iterable[Tensor]) -> None:
        """One step down the sum of `losses`.

        Args:
            losses: each is freed before the next one is asked for, so that a batch in parts takes the memory of a part. Where
                asking raises, no weight changes.
        """
        self.optimiser.zero_grad()
        for loss in losses:
            self._scaler.scale(loss).backward()
        if self._max_gradient_norm is not None:
            self._scaler.unscale_(self.optimiser)
            nn.utils.clip_grad_norm_(self.parameters, self._max_gradient_norm)
        self._scaler.step(self.optimiser)
        self._scaler.update()
        self._schedule.step()
        if self._average is not None:
            self._average.update_parameters(self._model)
        self.step += 1

    def state(self) -> dict[str, Any]:
        """All but the model's own weights and the number of steps that `load_state` needs."""
        state = {"optimiser": self.optimiser.state_dict(), "scaler": self._scaler.state_dict()}
        return state if self._average is None else {**state, "average": self._average.state_dict()}

    def load_state(self, state: dict[str, Any], step: int) -> None:
        """Go on after `step` steps with what `state()` gave then; the rates are those of this trainer's schedule."""
        self.optimiser.load_state_dict(state["optimiser"])
        self._scaler.load_state_dict(state["scaler"])
        if self._average is not None:
            self._average.load_state_dict(state["average"])
        self.step = self._schedule.last_epoch = step
        rates = zip(self.optimiser.param_groups, self._schedule.base_lrs, self._schedule.lr_lambdas, strict=True)
        for group, base, factor in rates:
            group["lr"] = base * factor(step)


def _warmed_up_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """Averages that follow faster at first: with `decay` alone, the weights that a run begins with stay in them for long."""

    def follow(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        done = int(count)
        torch._foreach_lerp_(averaged, [value.detach() for value in current], 1 - min(decay, (done + 1) / (done + 10)))

    return follow
