"""How far a training run is: what the resume state holds besides weights, and what the log shows."""

from __future__ import annotations

import csv
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from io import StringIO
from typing import Any

_SUMS = ("loss", "regression", "coarse_similarity", "fine_similarity", "train_mae")
COLUMNS = ("epoch", *_SUMS, "validation_mae", "validation_rmse", "seconds")


@dataclass
class Progress:
    """Changes while a run goes on.

    Attributes:
        epoch: the one being trained, counted from 1.
        batches: done in it.
        examples: done in it.
        sums: over these examples: the losses, and |counted - true| of their windows.
        seconds: spent on it.
        rows: of the log, one per finished epoch.
        best_score, best_epoch: smallest validation MAE + RMSE, and when; 0 before the first validation.
        without_better: validations since then.
        is_over: nothing is left to do.
    """

    epoch: int = 1
    batches: int = 0
    examples: int = 0
    sums: dict[str, float] = field(default_factory=lambda: dict.fromkeys(_SUMS, 0.0))
    seconds: float = 0.0
    rows: list[dict[str, Any]] = field(default_factory=list)
    best_score: float = math.inf
    best_epoch: int = 0
    without_better: int = 0
    is_over: bool = False

    def add(self, means: Mapping[str, float], examples: int) -> None:
        """Count one batch, given its mean of each of `sums`."""
        for name, value in means.items():
            self.sums[name] += value * examples
        self.batches += 1
        self.examples += examples

    def mean(self, name: str) -> float:
        """Over the epoch so far."""
        return self.sums[name] / max(1, self.examples)

    def close_epoch(self, validation_mae: float | None, validation_rmse: float | None) -> None:
        """Write the epoch's row and begin the next."""
        row: dict[str, Any] = {"epoch": self.epoch, **{name: self.mean(name) for name in _SUMS}}
        row |= {"validation_mae": validation_mae, "validation_rmse": validation_rmse, "seconds": self.seconds}
        self.rows.append(row)
        self.epoch, self.batches, self.examples, self.seconds = self.epoch + 1, 0, 0, 0.0
        self.sums = dict.fromkeys(_SUMS, 0.0)

    def as_state(self) -> dict[str, Any]:
        """Plain values, to be saved; `Progress(**state)` undoes it."""
        return asdict(self)

    def as_csv(self) -> str:
        """The log: a heading and a row per finished epoch; validation is empty where there was none."""
        text = StringIO()
        writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
        writer.writeheader()
        for row in self.rows:
            writer.writerow({name: _short(value) for name, value in row.items()})
        return text.getvalue()


def _short(value: float | None) -> str:
    return "" if value is None else f"{value:.6g}"
