"""Whole sampling runs, plain, recorded and under NUMINA, in turns."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass, replace

import torch
from comfy.model_patcher import ModelPatcher
from headcount.bridge.numina import node
from headcount.bridge.numina.guided_rows import PictureGuide
from headcount.bridge.numina.layout_reading import PictureReading
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.maps import MapsHandle
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.numina import Preset
from headcount.core.numina.layout import FIRST_ADDED, REMOVED
from torch import Tensor

from ..lab.measures import Parts, Wait, Work, counted_work, peak_bytes, seconds_in
from ..lab.models import NOUNS
from ..lab.real_models import Sampled
from ..lab.sampling import KSamplerSettings, Sampling
from ..lab.tables import table

PLAIN, RECORDED = "plain", "recorder"
GUIDED, NOTHING, CACHE = "guided", "nothing to change", "guided, cache"
PARTS: Parts = {
    "taking in the layers": ((PictureReading, "add"),),
    "layouts": ((PictureReading, "layouts"),),
    "maps for the viewer": ((PictureReading, "maps"), (node, "record_of")),
    "biased rows": ((PictureGuide, "apply"),),
}
_SAMPLING = KSamplerSettings(steps=1, cfg=5.0, sampler="euler", scheduler="simple", size=0)  # the latent has its size
_FEW_STEPS = 3  # enough to show what a run holds at a time


@dataclass(frozen=True)
class _ReadingAll(NuminaSettings):
    """The same, but every noun is read in its best head: maps of random weights are flat, and would be left alone.

    How many things are seen does not depend on how many are asked for.
    """

    @property
    def preset(self) -> Preset:
        usual = super().preset
        robust = replace(usual.layout.robust, clear=0.0, detail=0.0)
        return replace(usual, layout=replace(usual.layout, robust=robust))


@dataclass(frozen=True)
class Way:
    """A way to sample.

    Attributes:
        settings: NUMINA's; None without it.
        asked: how many of each noun.
        recorded: under Attention Map Recorder.
    """

    settings: NuminaSettings | None
    asked: tuple[int, ...]
    recorded: bool = False

    def patched(self, model: ModelPatcher) -> tuple[ModelPatcher, MapsHandle | None]:
        """The model of this way, and where its maps arrive."""
        if self.settings is not None:
            return with_numina(model, self.settings)
        return with_recorder(model, None) if self.recorded else (model, None)


@dataclass(frozen=True)
class Found:
    """What a guided run read: things of each noun in a video, and the share of cells that carry a bias."""

    things: tuple[int, ...]
    biased: float


@dataclass(frozen=True)
class Row:
    """One way's figures.

    Attributes:
        ratios: its time to that of the plain run before it, round by round.
        seconds: median of a run.
        calls, rows: of the model.
        floor: its work in the model's layers, as a multiple of the plain run's.
        peak: bytes beyond the weights.
        parts: seconds of a run within the pack.
        biased: share of the cells that carry a bias.
    """

    way: str
    ratios: tuple[float, ...]
    seconds: float
    calls: int
    rows: int
    floor: float
    peak: int
    parts: dict[str, float]
    biased: float

    @property
    def ratio(self) -> float:
        """Median of the ratios."""
        return statistics.median(self.ratios)


def sample(one: Sampled, way: Way) -> tuple[Tensor, MapsHandle | None]:
    """What KSampler does."""
    model, handle = way.patched(one.patcher)
    settings = replace(_SAMPLING, steps=one.steps)
    samples = Sampling(model, one.positive(way.asked), one.negative, one.latent, seed=0, settings=settings).run()
    return samples, handle


def found_by(samples: Tensor, handle: MapsHandle) -> Found:
    """What the run that made `samples` read."""
    layouts = handle.record_for(samples)[0].layouts
    things = [
        statistics.median_low([len(frame[frame > 0].unique()) for frame in layouts[noun][0]]) if noun in layouts else 0
        for noun in NOUNS
    ]
    after = torch.stack([after for _, after in layouts.values()])
    biased = ((after == REMOVED) | (after >= FIRST_ADDED)).any(0).float().mean()
    return Found(tuple(things), float(biased))


def ways_of(one: Sampled, asked: tuple[int, ...], settings: NuminaSettings) -> dict[str, Way]:
    """The ways to compare: one run that is only read shows how many things there are, so that one may ask for as many."""
    settings = _ReadingAll(**vars(settings))
    samples, handle = sample(one, Way(replace(settings, strength=0.0), asked))
    things = (0,) * len(asked) if handle is None else found_by(samples, handle).things
    wanted = tuple(number + 1 if number == own else number for number, own in zip(asked, things, strict=True))
    return {
        PLAIN: Way(None, wanted),
        RECORDED: Way(None, wanted, recorded=True),
        GUIDED: Way(settings, wanted),
        NOTHING: Way(settings, things),
        CACHE: Way(replace(settings, cache=True), wanted),
    }


@dataclass(frozen=True)
class _Run:
    seconds: float
    work: Work
    parts: dict[str, float]
    biased: float


def _timed(one: Sampled, way: Way, wait: Wait) -> _Run:
    with seconds_in(PARTS, wait) as spent, counted_work(one.network) as work:
        wait()
        start = time.perf_counter()
        samples, handle = sample(one, way)
        wait()
        seconds = time.perf_counter() - start
    parts = {label: sum(calls) for label, calls in spent.items()}
    return _Run(seconds, work, parts, 0.0 if way.settings is None else found_by(samples, handle).biased)


def measured(one: Sampled, ways: dict[str, Way], rounds: int, wait: Wait) -> list[Row]:
    """Memory, time and work of every way, the plain one first; memory in shorter runs, which are not timed."""
    short = replace(one, steps=min(one.steps, _FEW_STEPS))
    peaks = {name: peak_bytes(lambda way=way: sample(short, way), one.network) for name, way in ways.items()}
    runs: dict[str, list[_Run]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, way in ways.items():
            runs[name].append(_timed(one, way, wait))
    plain = runs[PLAIN]
    return [_row(name, own, plain, peaks[name]) for name, own in runs.items()]


def _row(name: str, runs: list[_Run], plain: list[_Run], peak: int) -> Row:
    last = runs[-1]
    return Row(
        name,
        tuple(own.seconds / other.seconds for own, other in zip(runs, plain, strict=True)),
        statistics.median(run.seconds for run in runs),
        last.work.calls,
        last.work.rows,
        last.work.products / plain[-1].work.products,
        peak,
        {label: statistics.median(run.parts[label] for run in runs) for label in PARTS},
        last.biased,
    )


def runs_table(rows: list[Row]) -> list[str]:
    """What whole runs cost; the first row is the plain run."""
    plain = rows[0]
    header = ["way", "time", "spread", "floor", "beyond it", "a run", "calls", "rows", "peak", "peak against plain"]
    cells = [
        [
            row.way,
            f"{row.ratio:.3f}x",
            f"{min(row.ratios):.3f} to {max(row.ratios):.3f}",
            f"{row.floor:.3f}x",
            f"{row.ratio - row.floor:+.3f}",
            f"{row.seconds:.2f} s",
            str(row.calls),
            str(row.rows),
            f"{row.peak / 1e6:.1f} MB",
            f"{row.peak / plain.peak - 1:+.1%}",
        ]
        for row in rows
    ]
    return table(header, cells)


def parts_table(rows: list[Row]) -> list[str]:
    """Where the pack's own time goes, as shares of the plain run."""
    header = ["way", "cells with a bias", *rows[0].parts]
    cells = [
        [
            row.way,
            f"{row.biased:.0%}",
            *(f"{value:.3f} s ({value / rows[0].seconds:.2%})" for value in row.parts.values()),
        ]
        for row in rows[1:]
    ]
    return table(header, cells)
