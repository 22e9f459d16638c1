"""The measures of CountBench (NUMINA, arXiv 2604.08546v1, section 5): of one video, which is counted, and of groups of videos.

CountAcc is defined by the authors' evaluation. Temporal consistency and the mean of CLIP scores are told in the paper's words
only.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from headcount.core.drawing import image_of
from numpy.typing import NDArray

from ..lab.command import device_of, start_comfyui
from ..lab.counters import NamedCounter
from ..lab.detectors import GroundingDino, GroundingSettings
from ..lab.named_counters import SAM3, T2ICOUNT, counter_of
from ..lab.pretrained import ClipScorer
from ..lab.statistics import Mean, mean_of
from ..lab.store import KeptFiles, file_digest
from .prompts import Ask
from .videos import frame_files, frames_of, in_batches

Counts = NDArray[np.int64]
"""(F, K): of F frames, K nouns."""

FOLDER, DEMOS = "counter:", ("shapes", "emoji")
COUNTERS = (FOLDER, SAM3, T2ICOUNT)
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


def means(videos: Sequence[Measured], number: int | None = None) -> dict[str, Mean | None]:
    """Means of `MEASURES`; None where no video has the measure.

    Args:
        videos: of one group.
        number: only nouns that were asked so many times; a video with several of them counts once, with their mean.
    """
    rows = [video.measures(number) for video in videos]
    return {name: mean_of([value for row in rows if (value := row[name]) is not None]) for name in MEASURES}


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


@dataclass(frozen=True)
class Meter:
    """What measures videos.

    Attributes:
        counter: counts things.
        clip: scores frames against their prompt; None to leave that out.
        kept: results of before.
        batch: frames at once.
    """

    counter: NamedCounter
    clip: ClipScorer | None
    kept: KeptFiles
    batch: int = 8

    def measure(self, ask: Ask, video: Path) -> Measured:
        """Count and score one video.

        Raises:
            CountError: it is damaged, or the counter does not know a noun.
        """
        content, nouns = video_digest(video), list(ask.counts)
        key = {"video": content, "counter": self.counter.name, "nouns": nouns}
        counts = np.array(self.kept.get(key, lambda: self._counts(video, nouns)), np.int64)
        if (clip := self.clip) is None:
            return Measured(ask, video.name, counts)
        key = {"video": content, "clip": clip.name, "prompt": ask.prompt}
        scores = self.kept.get(key, lambda: self._scores(clip, video, ask.prompt))
        return Measured(ask, video.name, counts, tuple(scores))

    def _counts(self, video: Path, nouns: Sequence[str]) -> list[list[int]]:
        batches = in_batches(frames_of(video), self.batch)
        return [row for frames in batches for row in self.counter.count(image_of(frames), nouns).rounded.tolist()]

    def _scores(self, clip: ClipScorer, video: Path, prompt: str) -> list[float]:
        batches = in_batches(frames_of(video), self.batch)
        return [score for frames in batches for score in clip.score(frames, prompt)]


def meter_of(arguments: argparse.Namespace) -> Meter:
    """The counter and CLIP that the command line asks for.

    Raises:
        CountError: there is no such detector, CLIP or device.
    """
    device = device_of(arguments.device)
    clip = None
    if arguments.clip:
        clip = ClipScorer(arguments.clip, device, arguments.allow_download)
    return Meter(_counter(arguments, device), clip, KeptFiles(arguments.out / "measured"), arguments.batch)


def _counter(arguments: argparse.Namespace, device: torch.device) -> NamedCounter:
    detector: str = arguments.detector
    if detector in DEMOS or detector.startswith(COUNTERS):
        start_comfyui(device)
        return counter_of(detector.removeprefix(FOLDER), arguments.box_threshold)
    settings = GroundingSettings(detector, arguments.box_threshold, may_download=arguments.allow_download)
    return GroundingDino(settings, device)


def measure_all(
    meter: Meter, asks: Sequence[Ask], videos: Mapping[int, Path], zero_missing: bool, report: Callable[[str], None]
) -> list[Measured]:
    """Measure the videos of `asks`; missing ones are left out, or with `zero_missing` counted as wrong throughout."""
    done = []
    for ask in asks:
        if ask.index in videos:
            done.append(meter.measure(ask, videos[ask.index]))
            accuracy = done[-1].measures()["accuracy"]
            report(f"{ask.index}: {len(done[-1].counts)} frames, CountAcc {accuracy:.1%}: {ask.prompt}")
        elif zero_missing:
            done.append(Measured(ask, None, np.zeros((1, len(ask.counts)), np.int64), (0.0,) if meter.clip else None))
    return done


def video_digest(video: Path) -> str:
    """12 hexadecimal digits that name a video's content."""
    return file_digest(*(frame_files(video) if video.is_dir() else [video]))
