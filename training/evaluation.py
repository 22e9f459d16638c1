"""Counts in pictures whose count is known."""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from io import StringIO

import torch
from headcount.core.drawing import image_of
from headcount.core.t2icount.counting import CountSettings, PictureCount, count_picture
from headcount.core.t2icount.metrics import CountErrors, count_errors
from headcount.core.t2icount.network import CountNetwork

from .counted_pictures import CountedPicture
from .counter_training import ShouldStop, Validation
from .texts import NounTexts

OnPicture = Callable[[int, int], None]
"""Called with pictures done and pictures in all."""
OnCount = Callable[[CountedPicture, PictureCount], None]
"""Called with every picture and what was counted in it."""


@dataclass(frozen=True)
class Evaluation:
    """Counts beside the truth, picture by picture.

    Attributes:
        pictures: what was counted.
        numbers: (N,) counts, not rounded.
    """

    pictures: Sequence[CountedPicture]
    numbers: torch.Tensor

    @property
    def errors(self) -> CountErrors:
        """Over all pictures."""
        return count_errors(self.numbers, torch.tensor([float(picture.count) for picture in self.pictures]))

    def as_csv(self) -> str:
        """One row per picture: its name, noun, true count, count, and truth - count."""
        text = StringIO()
        writer = csv.writer(text, lineterminator="\n")
        writer.writerow(["picture", "noun", "truth", "counted", "error"])
        for picture, number in zip(self.pictures, self.numbers.tolist(), strict=True):
            writer.writerow(
                [picture.name, picture.noun, picture.count, f"{number:.4f}", f"{picture.count - number:.4f}"]
            )
        return text.getvalue()


def _ignore(_done: int, _total: int) -> None:
    pass


def _never() -> bool:
    return False


def evaluate(
    network: CountNetwork,
    texts: NounTexts,
    pictures: Sequence[CountedPicture],
    settings: CountSettings,
    on_picture: OnPicture = _ignore,
    should_stop: ShouldStop = _never,
    on_count: OnCount | None = None,
) -> Evaluation | None:
    """Count in every picture, by the windows of the published evaluation.

    Returns:
        None when told to stop before the end.
    """
    numbers = []
    for done, picture in enumerate(pictures, start=1):
        if should_stop():
            return None
        pixels = image_of(picture.read())
        result = count_picture(network, pixels, texts.rows([picture.noun]), settings, None)
        if on_count is not None:
            on_count(picture, result)
        numbers.append(result.numbers[0].cpu())
        on_picture(done, len(pictures))
    return Evaluation(pictures, torch.stack(numbers))


def validation_of(pictures: Sequence[CountedPicture], settings: CountSettings, on_picture: OnPicture) -> Validation:
    """What `CounterTraining` validates with."""

    def validate(network: CountNetwork, texts: NounTexts, should_stop: ShouldStop) -> CountErrors | None:
        found = evaluate(network, texts, pictures, settings, on_picture, should_stop)
        return None if found is None else found.errors

    return validate
