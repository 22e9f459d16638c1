"""The measures of CountBench (NUMINA, arXiv 2604.08546v1, section 5): of one video, and of groups of videos.

CountAcc is defined by the authors' evaluation. Temporal consistency and the mean of CLIP scores are told in the paper's words
only.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..lab.statistics import interval
from .asks import Ask

Counts = NDArray[np.int64]
"""(F, K): of F frames, K nouns."""

MEASURES = ("accuracy", "consistency", "clip")
Measures = Mapping[str, float | None]
"""Value of each of `MEASURES`; None where there is none."""


def exact_shares(counts: Counts, asked: Sequence[int]) -> NDArray[np.float64]:
    """(K,) share of the frames in which each noun is there exactly as often as asked."""
    return (counts == np.asarray(asked)).mean(0)


def count_accuracy(counts: Counts, asked: Sequence[int]) -> float:
    """CountAcc, 0 to 1: share of the nouns with the exact count, mean over frames."""
    return float(exact_shares(counts, asked).mean())


def stable_shares(counts: Counts) -> NDArray[np.float64] | None:
    """(K,) share of the pairs of neighbouring frames with equal counts; None for a single frame."""
    return (counts[1:] == counts[:-1]).mean(0) if len(counts) > 1 else None


def temporal_consistency(counts: Counts) -> float | None:
    """TC, 0 to 1: mean of `stable_shares` over nouns; None for a single frame."""
    shares = stable_shares(counts)
    return None if shares is None else float(shares.mean())


@dataclass(frozen=True)
class Measured:
    """What was counted for one prompt.

    Attributes:
        ask: the prompt.
        file: name of its video; None where it is missing and scored 0.
        counts: (F, K), nouns in the order of `ask`; one frame of zeros where it is missing.
        clip: CLIP score of each frame, 0 to 100; None where it was not measured.
    """

    ask: Ask
    file: str | None
    counts: Counts
    clip: tuple[float, ...] | None = None

    def measures(self, number: int | None = None) -> dict[str, float | None]:
        """`MEASURES` of the video; with `number`, those of the nouns that were asked so many times, without CLIP."""
        chosen = [k for k, count in enumerate(self.ask.counts.values()) if number in (None, count)]
        if self.file is None:
            return {"accuracy": 0.0, "consistency": 0.0, "clip": None if self.clip is None or number else 0.0}
        counts, asked = self.counts[:, chosen], np.array(list(self.ask.counts.values()))[chosen]
        clip = None if self.clip is None or number else float(np.mean(self.clip))
        return {"accuracy": count_accuracy(counts, asked), "consistency": temporal_consistency(counts), "clip": clip}


@dataclass(frozen=True)
class Mean:
    """A mean over videos with its 95 % bootstrap interval; the interval is None for a single video."""

    mean: float
    interval: tuple[float, float] | None
    videos: int


def means(videos: Sequence[Measured], number: int | None = None) -> dict[str, Mean | None]:
    """Means of `MEASURES`; None where no video has the measure.

    Args:
        videos: of one group.
        number: only nouns that were asked so many times; a video with several of them counts once, with their mean.
    """
    rows = [video.measures(number) for video in videos]
    return {name: mean_of([value for row in rows if (value := row[name]) is not None]) for name in MEASURES}


def mean_of(values: Sequence[float]) -> Mean | None:
    """The mean of one value per video."""
    if not values:
        return None
    return Mean(float(np.mean(values)), interval(np.asarray(values)) if len(values) > 1 else None, len(values))


def groups(videos: Sequence[Measured]) -> dict[str, dict[str, Mean | None]]:
    """Means of all videos ("all"), by the number asked ("asked 3") and by how many nouns ("2 nouns")."""
    numbers = sorted({count for video in videos for count in video.ask.counts.values()})
    table = {"all": means(videos)}
    for number in numbers:
        table[f"asked {number}"] = means(_where(videos, lambda ask, n=number: n in ask.counts.values()), number)
    for nouns in sorted({len(video.ask.counts) for video in videos}):
        name = f"{nouns} noun{'' if nouns == 1 else 's'}"
        table[name] = means(_where(videos, lambda ask, n=nouns: len(ask.counts) == n))
    return table


def _where(videos: Sequence[Measured], fits: Callable[[Ask], bool]) -> list[Measured]:
    return [video for video in videos if fits(video.ask)]


def mean_differences(rows: Sequence[Measures], others: Sequence[Measures]) -> dict[str, Mean | None]:
    """Means of `rows` minus `others`, which are of the same prompts in the same order."""
    table = {}
    for name in MEASURES:
        pairs = [(row[name], other[name]) for row, other in zip(rows, others, strict=True)]
        table[name] = mean_of([own - base for own, base in pairs if own is not None and base is not None])
    return table
