"""A training run: AdamW whose rate warms up and comes down as a cosine, averaged weights, a log, and a file to go on from."""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.optim.swa_utils import AveragedModel
from transformers import get_cosine_schedule_with_warmup

from training.files import write_whole

STEPS_BETWEEN_LINES = 50
SECONDS_BETWEEN_SAVES = 60.0
WARM_UP = 200  # steps; enough for AdamW's averages of squares to settle at the usual beta of 0.99 and below


@dataclass(frozen=True)
class Plan:
    """How to train.

    Attributes:
        steps: after which the learning rate has come down to 0.
        batch: scenes of a step.
        rate: peak learning rate.
        ema_decay: of the running averages of the weights (Polyak).
        betas, weight_decay: of AdamW.
        max_gradient_norm: longer gradients are scaled down to it.
    """

    steps: int
    batch: int
    rate: float
    ema_decay: float = 0.999
    betas: tuple[float, float] = (0.9, 0.99)
    weight_decay: float = 1e-4
    max_gradient_norm: float = 1.0


class Trainer:
    """One run.

    Args:
        model: on the device that it is to be trained on; parameters that want no gradient are left alone.
        folder: gets NAME.log and NAME_training.pt, from which the run goes on where it is there.

    Raises:
        ValueError: the run that is there was begun with another plan; only its number of steps may differ.
    """

    def __init__(self, model: nn.Module, folder: Path, name: str, plan: Plan) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.model, self.plan, self.step = model, plan, 0
        self.parameters = list(model.parameters())  # the optimiser passes over those that get no gradient
        self.optimiser = torch.optim.AdamW(
            self.parameters,
            plan.rate,
            plan.betas,
            weight_decay=plan.weight_decay,
            fused=self.parameters[0].is_cuda,
        )
        self._schedule = get_cosine_schedule_with_warmup(self.optimiser, WARM_UP, plan.steps)
        self._average = AveragedModel(model, multi_avg_fn=_warmed_up_average(plan.ema_decay))
        self._file, self._log = folder / f"{name}_training.pt", folder / f"{name}.log"
        if self._file.is_file():
            self._load()

    @property
    def averaged(self) -> nn.Module:
        """The model with its averaged weights."""
        return self._average.module

    def train(
        self, loss_of: Callable[[int], Tensor], until: float = math.inf, on_save: Callable[[], None] = lambda: None
    ) -> None:
        """Train to the last step, or until `time.monotonic()` has reached `until`, and save.

        Args:
            loss_of: the loss of a step. What it draws may depend on nothing but the step, so that a run that was stopped
                and goes on is the uninterrupted one.
            on_save: called whenever the run was saved.
        """
        first, began, average = self.step, time.monotonic(), None
        saved = began
        while self.step < self.plan.steps and time.monotonic() < until:
            with self._attention():
                loss = loss_of(self.step)
                self.take_step(loss)
            average = loss.detach() if average is None else average.lerp(loss.detach(), 0.02)
            if self.step % STEPS_BETWEEN_LINES == 0:
                each = (time.monotonic() - began) / (self.step - first)
                self.say(f"step {self.step} loss {float(average):.4f} seconds per step {each:.3f}")
            if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                self.save()
                on_save()
                saved = time.monotonic()
        self.save()
        on_save()
        left = "" if self.step >= self.plan.steps else ": the same command goes on"
        self.say(f"{self.step} of {self.plan.steps} steps done{left}")

    def take_step(self, loss: Tensor) -> None:
        """One step down `loss`."""
        self.optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(self.parameters, self.plan.max_gradient_norm)
        self.optimiser.step()
        self._schedule.step()
        self._average.update_parameters(self.model)
        self.step += 1

    def _attention(self) -> AbstractContextManager[None]:
        """On a CPU, plain products: the backward pass of PyTorch's kernel there takes twice as long."""
        return sdpa_kernel(SDPBackend.MATH) if self.parameters[0].device.type == "cpu" else nullcontext()

    def say(self, line: str) -> None:
        """Print a line and keep it in the log."""
        with open(self._log, "a") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def save(self) -> None:
        """Write all that a run needs to go on."""
        kept = {name: part.state_dict() for name, part in self._parts().items()}
        state = {**kept, "step": self.step, "plan": asdict(self.plan)}
        write_whole(self._file, lambda path: torch.save(state, path))

    def _load(self) -> None:
        state = torch.load(self._file, weights_only=True, map_location=self.parameters[0].device)
        if "plan" not in state:
            raise ValueError(f"{self._file} is of an earlier version of this program: take another folder")
        begun, now = ({**plan, "steps": 0} for plan in (state["plan"], asdict(self.plan)))
        if begun != now:
            raise ValueError(
                f"{self._file} was begun with {begun}, not {now}: ask for the same, or take another folder"
            )
        for name, part in self._parts().items():
            part.load_state_dict(state[name])
        self.step = int(state["step"])

    def _parts(self) -> dict[str, nn.Module | torch.optim.Optimizer | torch.optim.lr_scheduler.LRScheduler]:
        return {"model": self.model, "average": self._average, "optimiser": self.optimiser, "schedule": self._schedule}


def _warmed_up_average(decay: float) -> Callable[[list[Tensor], list[Tensor], Tensor], None]:
    """Averages that follow faster at first: with `decay` alone, the weights that a run begins with stay in them for long."""

    def follow(averaged: list[Tensor], current: list[Tensor], count: Tensor) -> None:
        done = int(count)
        torch._foreach_lerp_(averaged, [value.detach() for value in current], 1 - min(decay, (done + 1) / (done + 10)))

    return follow


def generator_of(step: int, given: argparse.Namespace) -> torch.Generator:
    """What is random in a step, on the device of the run."""
    return torch.Generator(given.device).manual_seed(given.seed * 1_000_003 + step)


def deadline_of(given: argparse.Namespace) -> float:
    """When the run has to end, as `time.monotonic()` counts."""
    return time.monotonic() + given.minutes * 60


def new_parser(about: str | None, seed: int = 0) -> argparse.ArgumentParser:
    """The options that all runs have."""
    parser = argparse.ArgumentParser(description=about, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder of the run, and of what it is made from")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after them")
    parser.add_argument("--steps", type=int, help="default: the plan's, as batch and rate")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rate", type=float, help="peak learning rate")
    parser.add_argument("--seed", type=int, default=seed)
    return parser


def changed(plan: Plan, given: argparse.Namespace) -> Plan:
    """The plan with what the command line says otherwise."""
    said = {name: getattr(given, name) for name in ("steps", "batch", "rate")}
    return replace(plan, **{name: value for name, value in said.items() if value is not None})
