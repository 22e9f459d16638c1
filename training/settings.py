"""The numbers of a training run. The defaults are those of the published one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.losses import LossSettings
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_constant_schedule

PRECISIONS = {"fp32": None, "bf16": torch.bfloat16, "fp16": torch.float16}


def constant(optimiser: Optimizer, steps: int) -> LambdaLR:
    """The learning rates stay as they are in all of the `steps`, as the published ones do."""
    return get_constant_schedule(optimiser)


@dataclass(frozen=True)
class TrainSettings:
    """How to train.

    Attributes:
        epochs: passes over the training set.
        batch: examples per optimiser step.
        accumulate: parts that a batch is run in, one after the other; less memory, the same step.
        rate: AdamW's learning rate for the decoder.
        weight_decay: AdamW's, for the decoder.
        unet_share: of both, for the U-Net.
        schedule: makes the schedule of both learning rates, from the optimiser and the number of steps of the whole run.
        largest_gradient: a step's gradient is scaled down to this norm; None leaves it.
        validate_from: the first epoch after which the network is validated, counted from 1.
        patience: stop after so many validations without a better one; None goes on to the last epoch.
        precision: "fp32", or "bf16", "fp16": what the network computes in; weights and losses stay fp32.
        checkpointing: compute the U-Net's blocks twice, to save memory.
        workers: processes that prepare batches.
        seed: of every random choice.
        loss: of the losses.
    """

    epochs: int = 300
    batch: int = 16
    accumulate: int = 1
    rate: float = 5e-5
    weight_decay: float = 5e-5
    unet_share: float = 0.1
    schedule: Callable[[Optimizer, int], LambdaLR] = constant
    largest_gradient: float | None = None
    validate_from: int = 50
    patience: int | None = None
    precision: str = "fp32"
    checkpointing: bool = True
    workers: int = 0
    seed: int = 0
    loss: LossSettings = field(default_factory=LossSettings)

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "accumulate", "validate_from"):
            if getattr(self, name) < 1:
                raise CountError(f"{name.replace('_', ' ')} is {getattr(self, name)}; it must be at least 1")
        if self.precision not in PRECISIONS:
            raise CountError(f"precision is {self.precision!r}; it must be one of {', '.join(PRECISIONS)}")

    @property
    def identity(self) -> dict[str, str]:
        """What a run cannot change when it goes on from where it was: later steps would not fit the earlier ones."""
        names = ("batch", "rate", "weight_decay", "unet_share", "largest_gradient", "precision", "seed")
        own = {name.replace("_", " "): str(getattr(self, name)) for name in names}
        return {**own, "similarity weight": str(self.loss.similarity_weight)}
