"""A training of a fixed number of steps, with averaged weights, a log and a file to go on from.

Its rate warms up and comes down as a cosine.
"""

from __future__ import annotations

import argparse
import math
import time
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import asdict, dataclass, replace
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import get_cosine_schedule_with_warmup

from training.files import write_whole
from training.trainer import StepSettings, Trainer

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


class StepTraining:
    """One run of a number of steps.

    Args:
        model: on the device that it is to be trained on; parameters that want no gradient are left alone.
        folder: gets NAME.log and NAME_training.pt, from which the run goes on where it is there.

    Raises:
        ValueError: the run that is there was begun with another plan; only its number of steps may differ.
    """

    def __init__(self, model: nn.Module, folder: Path, name: str, plan: Plan) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        parameters = list(model.parameters())
        self.model, self.plan, self._device = model, plan, parameters[0].device
        settings = StepSettings(
            schedule=partial(get_cosine_schedule_with_warmup, num_warmup_steps=WARM_UP, num_training_steps=plan.steps),
            betas=plan.betas,
            max_gradient_norm=plan.max_gradient_norm,
            ema_decay=plan.ema_decay,
            is_fused=parameters[0].is_cuda,
        )
        group = {"params": parameters, "lr": plan.rate, "weight_decay": plan.weight_decay}
        self.trainer = Trainer(model, [group], settings)
        self._file, self._log = folder / f"{name}_training.pt", folder / f"{name}.log"
        if self._file.is_file():
            self._load()

    def train(
        self, loss_of: Callable[[int], Tensor], until: float = math.inf, on_save: Callable[[], None] = lambda: None
    ) -> None:
        """Train to the last step, or until `time.monotonic()` has reached `until`, and save.

        Args:
            loss_of: the loss of a step. What it draws may depend on nothing but the step, so that a run that was stopped
                and goes on is the uninterrupted one.
            on_save: called whenever the run was saved.
        """
        trainer, began, average = self.trainer, time.monotonic(), None
        first, saved = trainer.step, began
        while trainer.step < self.plan.steps and time.monotonic() < until:
            with self._attention():
                loss = loss_of(trainer.step)
                trainer.take_step([loss])
            average = loss.detach() if average is None else average.lerp(loss.detach(), 0.02)
            if trainer.step % STEPS_BETWEEN_LINES == 0:
                each = (time.monotonic() - began) / (trainer.step - first)
                self.say(f"step {trainer.step} loss {float(average):.4f} seconds per step {each:.3f}")
            if time.monotonic() - saved > SECONDS_BETWEEN_SAVES:
                self.save()
                on_save()
                saved = time.monotonic()
        self.save()
        on_save()
        left = "" if trainer.step >= self.plan.steps else ": the same command goes on"
        self.say(f"{trainer.step} of {self.plan.steps} steps done{left}")

    def _attention(self) -> AbstractContextManager[None]:
        """On a CPU, plain products: the backward pass of PyTorch's kernel there takes twice as long."""
        return sdpa_kernel(SDPBackend.MATH) if self._device.type == "cpu" else nullcontext()

    def say(self, line: str) -> None:
        """Print a line and keep it in the log."""
        with open(self._log, "a") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def save(self) -> None:
        """Write all that a run needs to go on."""
        progress = {"model": self.model.state_dict(), "step": self.trainer.step, "plan": asdict(self.plan)}
        state = {**self.trainer.state(), **progress}
        write_whole(self._file, lambda path: torch.save(state, path))

    def _load(self) -> None:
        state = torch.load(self._file, weights_only=True, map_location=self._device)
        if "plan" not in state:
            raise ValueError(f"{self._file} is of an earlier version of this program: take another folder")
        begun, now = ({**plan, "steps": 0} for plan in (state["plan"], asdict(self.plan)))
        if begun != now:
            raise ValueError(
                f"{self._file} was begun with {begun}, not {now}: ask for the same, or take another folder"
            )
        self.model.load_state_dict(state["model"])
        self.trainer.load_state(state, int(state["step"]))


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
