"""A training run of so many steps that says how it goes, saves on the way, and goes on where it stopped."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import nn

STEPS_BETWEEN_LINES, STEPS_BETWEEN_SAVES = 50, 250


@dataclass(frozen=True)
class SteppedRun:
    """What is trained, and where the run is kept.

    Attributes:
        folder: gets NAME_training.pt and NAME.log; the first is gone on from where it is there.
        rate: learning rate of a step.
        longest: gradients are cut down to this length.
    """

    model: nn.Module
    optimiser: torch.optim.Optimizer
    folder: Path
    name: str
    steps: int
    rate: Callable[[int], float]
    longest: float = 1.0

    @property
    def file(self) -> Path:
        """Model, optimiser and number of steps done."""
        return self.folder / f"{self.name}_training.pt"

    def train(self, gradient: Callable[[int], float]) -> None:
        """Train to the last step.

        Args:
            gradient: sets the gradients of a step and gives its loss; what it draws may hang on nothing but the step.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        first, start, average = self._load(), time.monotonic(), math.nan
        for step in range(first, self.steps):
            for group in self.optimiser.param_groups:
                group["lr"] = self.rate(step)
            self.optimiser.zero_grad()
            loss = gradient(step)
            nn.utils.clip_grad_norm_(self.model.parameters(), self.longest)
            self.optimiser.step()
            average = loss if math.isnan(average) else 0.98 * average + 0.02 * loss
            done = step + 1
            if done % STEPS_BETWEEN_LINES == 0:
                self.say(f"step {done} loss {average:.4f} minutes {(time.monotonic() - start) / 60:.1f}")
            if done % STEPS_BETWEEN_SAVES == 0 or done == self.steps:
                self._save(done)

    def say(self, line: str) -> None:
        """Print a line and keep it in the log."""
        with open(self.folder / f"{self.name}.log", "a") as log:
            log.write(line + "\n")
        print(line, flush=True)

    def _load(self) -> int:
        if not self.file.is_file():
            return 0
        state = torch.load(self.file, weights_only=True)
        self.model.load_state_dict(state["model"])
        self.optimiser.load_state_dict(state["optimiser"])
        return int(state["step"])

    def _save(self, step: int) -> None:
        part = self.file.with_suffix(".part")
        torch.save({"model": self.model.state_dict(), "optimiser": self.optimiser.state_dict(), "step": step}, part)
        part.replace(self.file)  # a run that is stopped here leaves the old file whole


class ChunkReader:
    """Gives the scenes that a step trains on: chunk after chunk, each for as many steps as it has batches.

    Args:
        read: the scenes of a chunk, by its number.
        batches: in a chunk.
        chunks: after which the first follows again.
    """

    def __init__(self, read: Callable[[int], object], batches: float, chunks: int) -> None:
        self._read, self._batches, self._chunks = read, batches, chunks
        self._number, self._scenes = -1, None

    def at(self, step: int):
        """The scenes of a step."""
        number = int(step // self._batches) % self._chunks
        if number != self._number:
            self._number, self._scenes = number, self._read(number)
        return self._scenes
