"""Trains a T2ICount network: U-Net and decoder change, encoder and text tower stay.

Optimiser and loop are those of the published training: AdamW in two groups, constant rates (5e-5 for the decoder, 5e-6 for
the U-Net), no warm-up, no averaging; the best network is the one with the smallest validation MAE + RMSE. Changed: a run
goes on exactly where it was stopped.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.examples import CountingSet, Examples
from headcount.core.t2icount.losses import Losses, counting_loss
from headcount.core.t2icount.metrics import CountErrors
from headcount.core.t2icount.network import CountNetwork
from torch import Tensor, nn

from .batches import Batch, batches_of
from .progress import Progress
from .run_folder import RunFolder
from .settings import PRECISIONS, TrainSettings
from .texts import NounTexts, NounTokens
from .trainer import StepSettings, Trainer

ShouldStop = Callable[[], bool]
Validation = Callable[[CountNetwork, NounTexts, ShouldStop], CountErrors | None]
"""Counts in a validation set; None when told to stop before the end."""


@dataclass(frozen=True)
class Report:
    """What a run tells while it goes on.

    Attributes:
        progress: how far it is; its epoch is finished where `validated` is given or `batches` is 0.
        batches: in an epoch.
        validated: errors after an epoch that was validated.
    """

    progress: Progress
    batches: int
    validated: CountErrors | None = None


def _never() -> bool:
    return False


def _ignore(_report: Report) -> None:
    pass


class CounterTraining:
    """One training run.

    Args:
        network: on the device it is to be trained on; only its U-Net and decoder change.
        tokens: a noun's CLIP ids, see `NounTokens`.
        pictures: the training set.
        settings: how to train.
        folder: where the run's files are; what it holds of an earlier run is gone on from.
        validate: counts in the validation set; None keeps no best network.

    Raises:
        CountError: the training set is empty, or the folder's run was made with other settings.
    """

    def __init__(
        self,
        network: CountNetwork,
        tokens: NounTokens,
        pictures: CountingSet,
        settings: TrainSettings,
        folder: RunFolder,
        validate: Validation | None = None,
    ) -> None:
        if not len(pictures):
            raise CountError("the training set has no pictures")
        self.network, self.settings, self.folder, self._validate = network, settings, folder, validate
        self.device = next(network.parameters()).device
        self.texts = NounTexts(network, tokens)
        self.examples = Examples(pictures, network.config, settings.seed)
        self.batches = math.ceil(len(pictures) / settings.batch)
        self.progress = Progress()
        network.requires_grad_(False).eval()
        groups = [_group(network.unet, settings, settings.unet_share), _group(network.decoder, settings, 1.0)]
        step_settings = StepSettings(
            schedule=partial(settings.schedule, steps=settings.epochs * self.batches),
            max_gradient_norm=settings.largest_gradient,
            scales_loss=settings.precision == "fp16",
        )
        self.trainer = Trainer(network, groups, step_settings)
        network.checkpoint_blocks(settings.checkpointing)
        self._resume()

    def fit(self, on_report: Callable[[Report], None] = _ignore, should_stop: ShouldStop = _never) -> Progress:
        """Train to the last epoch, or until told to stop; either way `CounterTraining(...).fit()` can go on later."""
        if self.progress.is_over:  # since before: its large files are not written again
            return self.progress
        while not self.progress.is_over:
            if not self._train_epoch(on_report, should_stop) or not self._close_epoch(on_report, should_stop):
                break
            if not self.progress.is_over:
                self._save()
        self._save()
        self.folder.write_network(self.network, self.folder.last)
        return self.progress

    def step(self, batch: Batch) -> dict[str, float]:
        """One optimiser step.

        Returns:
            The batch's mean losses, and "train_mae" of its windows.

        Raises:
            CountError: the loss is not a finite number.
        """
        totals: dict[str, float] = {}
        self.trainer.take_step(self._parts_of(batch, totals))
        return totals

    def _parts_of(self, batch: Batch, totals: dict[str, float]) -> Iterator[Tensor]:
        """The parts of a batch's loss, which is their sum; `totals` gets the batch's means."""
        for part in batch.parts(self.settings.accumulate):
            share = len(part) / len(batch)
            losses, mae = self._losses(part.to(self.device))
            yield losses.total * share
            values = (losses.total, losses.regression, losses.coarse_similarity, losses.fine_similarity)
            names = ("loss", "regression", "coarse_similarity", "fine_similarity")
            for name, value in (*zip(names, values, strict=True), ("train_mae", mae)):
                totals[name] = totals.get(name, 0.0) + value.item() * share
        if not math.isfinite(totals["loss"]):
            raise CountError(
                f"the loss is {totals['loss']} in epoch {self.progress.epoch}, batch {self.progress.batches + 1}; "
                f"train with a smaller rate than {self.settings.rate:g}"
                + ("" if self.settings.precision == "fp32" else f", or in fp32 instead of {self.settings.precision}")
            )

    def _losses(self, batch: Batch) -> tuple[Losses, Tensor]:
        dtype = PRECISIONS[self.settings.precision]
        text = self.texts.rows(batch.nouns)
        with torch.autocast(self.device.type, dtype, enabled=dtype is not None):
            maps = self.network(batch.pixels, text, with_attention=True)
        losses = counting_loss(maps, batch.density, batch.region, self.network.config, self.settings.loss)
        with torch.no_grad():
            difference = (maps.density.float() - batch.density).sum((1, 2, 3)) / self.network.config.density_scale
        return losses, difference.abs().mean()

    def _train_epoch(self, on_report: Callable[[Report], None], should_stop: ShouldStop) -> bool:
        """What is left of the present epoch. False when stopped."""
        progress, settings = self.progress, self.settings
        if progress.batches == self.batches:  # stopped in its validation
            return True
        is_pinned = self.device.type == "cuda"
        start, before = time.monotonic(), progress.seconds
        todo = batches_of(progress.epoch, self.examples, settings.batch, progress.batches, settings.workers, is_pinned)
        for batch in todo:
            if should_stop():
                return False
            progress.add(self.step(batch), len(batch))
            progress.seconds = before + time.monotonic() - start
            on_report(Report(progress, self.batches))
        return True

    def _close_epoch(self, on_report: Callable[[Report], None], should_stop: ShouldStop) -> bool:
        """Validate, keep the best, decide whether to go on. False when stopped."""
        progress, settings = self.progress, self.settings
        errors = None
        if self._validate is not None and progress.epoch >= settings.validate_from:
            with torch.no_grad():
                errors = self._validate(self.network, self.texts, should_stop)
            if errors is None:
                return False
            progress.without_better += 1
            if errors.score < progress.best_score:
                progress.best_score, progress.best_epoch, progress.without_better = errors.score, progress.epoch, 0
                self.folder.write_network(self.network, self.folder.best)
        progress.close_epoch(errors and errors.mae, errors and errors.rmse)
        progress.is_over = self._is_over()
        self.folder.write_log(progress.as_csv())
        on_report(Report(progress, self.batches, errors))
        return True

    def _is_over(self) -> bool:
        """Whether the last epoch is done, or too many validations in a row were no better."""
        patience = self.settings.patience
        has_lost_patience = patience is not None and self.progress.without_better >= patience
        return has_lost_patience or self.progress.epoch > self.settings.epochs

    def _save(self) -> None:
        self.folder.write_resume(
            {
                "settings": self._identity(),
                "network": self.network.state_dict(),
                **self.trainer.state(),
                "progress": self.progress.as_state(),
            }
        )

    def _identity(self) -> dict[str, str]:
        return {
            **self.settings.identity,
            "configuration": self.network.config.name,
            "training pictures": str(len(self.examples)),
        }

    def _resume(self) -> None:
        state = self.folder.read_resume()
        if state is None:
            return
        own = self._identity()
        other = [f"{name} {was} then, {own[name]} now" for name, was in state["settings"].items() if own[name] != was]
        if other:
            raise CountError(
                f"{self.folder.path} holds a run with other settings: {'; '.join(other)}. "
                "Give the same settings to go on with it, or another folder to begin anew"
            )
        self.network.load_state_dict(state["network"])
        self.progress = Progress(**state["progress"])
        self.trainer.load_state(state, (self.progress.epoch - 1) * self.batches + self.progress.batches)
        self.progress.is_over = self._is_over()


def _group(module: nn.Module, settings: TrainSettings, share: float) -> dict[str, object]:
    module.requires_grad_(True)
    return {
        "params": list(module.parameters()),
        "lr": settings.rate * share,
        "weight_decay": settings.weight_decay * share,
    }
