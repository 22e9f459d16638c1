"""Counts and scores one video after the other."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ..evaluation.store import file_digest
from .asks import Ask
from .clip_score import ClipScorer
from .frame_counters import FrameCounter
from .kept import Kept
from .metrics import Measured
from .videos import frame_files, frames_of, in_batches


@dataclass(frozen=True)
class Meter:
    """What measures videos.

    Attributes:
        counter: counts things.
        clip: scores frames against their prompt; None to leave that out.
        kept: results of before.
        batch: frames at once.
    """

    counter: FrameCounter
    clip: ClipScorer | None
    kept: Kept
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
        return [row for frames in batches for row in self.counter.count(frames, nouns).tolist()]

    def _scores(self, clip: ClipScorer, video: Path, prompt: str) -> list[float]:
        batches = in_batches(frames_of(video), self.batch)
        return [score for frames in batches for score in clip.score(frames, prompt)]


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
