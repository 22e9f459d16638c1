"""A model that is being trained: optimiser, running averages, and a file that a run goes on from."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn


@dataclass
class Training:
    """A model that is being trained.

    Attributes:
        ema: running averages of its parameters, which is what is exported.
        decay: of the averages, from a few hundred steps on; before that they follow faster.
        step: number of steps done.
    """

    model: Any
    optimiser: torch.optim.Optimizer
    ema: list[Tensor]
    decay: float
    step: int = 0

    def save(self, file: Path) -> None:
        """Write all that a run needs to go on."""
        state = {"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict()}
        fresh = file.with_suffix(".part")
        torch.save({**state, "ema": self.ema, "step": self.step}, fresh)
        fresh.replace(file)  # a run that is stopped here leaves the old file whole

    def load(self, file: Path) -> None:
        """Go on with what `save` wrote."""
        state = torch.load(file, weights_only=True, map_location=self.ema[0].device)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        self.ema, self.step = state["ema"], state["step"]

    def take_step(self, loss: Tensor, rate: float) -> None:
        """One step of the optimiser down `loss`."""
        self.optimiser.zero_grad()
        loss.backward()
        self.follow_gradient(rate)

    def follow_gradient(self, rate: float) -> None:
        """One step of the optimiser down the gradient that the parameters hold."""
        for group in self.optimiser.param_groups:
            group["lr"] = rate
        parameters = list(self.model.parameters())
        nn.utils.clip_grad_norm_(parameters, 1.0)
        self.optimiser.step()
        decay = min(self.decay, (self.step + 1) / (self.step + 10))
        with torch.no_grad():
            torch._foreach_lerp_(self.ema, [value.detach() for value in parameters], 1 - decay)
        self.step += 1
