"""What a steered step costs on this device, against the floors and bars of the design, and what parts of it take.

The parts are K-means in the paper's objective, and scoring in Latent Selection.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from headcount.core.attention import MAX_SELF_PIXELS, AttentionCall, CallList
from headcount.core.isac import SCORES, score_calls

from ..lab.command import wait_for
from ..lab.measures import Step, Wait, seconds_in, times
from ..lab.models import LoadedModel
from ..lab.real_models import cost_model
from ..lab.steps import (
    CLUSTERING,
    MODES,
    PAPER_FLOORS,
    AttendAndExcite,
    Mode,
    Row,
    capture_step,
    gradient_step,
    measured,
    model_calls,
    paper,
    step_of,
    too_much,
)
from .compared import blocks_seen
from .parts import Finding

TIME = "time against a plain step"
_PAPERS_KMEANS = 0.505  # seconds a call (ISAC, Table 4)
_ROUNDS, _ROUNDS_ON_A_CPU = 5, 1


@dataclass(frozen=True)
class Bars:
    """What a model's steps may cost at most, DESIGN.md; memory in GB beyond a plain step's.

    Attributes:
        exact: with all activations kept.
        recomputed: with blocks recomputed.
    """

    exact: float
    recomputed: float


BARS = {"sd15": Bars(0.8, 0.35), "sdxl": Bars(5.3, 1.2), "sd35m": Bars(6.1, 0.4)}
_FROM_FLOOR, _FAST, _RECORDING = 1.1, 1.5, 1.1


def costs(name: str, device: torch.device) -> list[Finding]:
    """Time and memory of a plain step and of every mode's, at the real configuration with random weights."""
    on_cpu = device.type == "cpu"
    rounds, wait = _ROUNDS_ON_A_CPU if on_cpu else _ROUNDS, wait_for(device)
    model = cost_model(name, device, torch.float32 if on_cpu else torch.float16)
    modes, notes = _possible(model)
    rows = measured(model, modes, rounds)
    found = [_finding(name, row, modes.get(row.mode), rows[0]) for row in rows]
    return found + notes + clustering(model, modes, wait) + selection(model, rounds, wait)


def _possible(model: LoadedModel) -> tuple[dict[str, Mode], list[Finding]]:
    """The modes that fit into memory, and what is to be said of the others."""
    possible, notes = {}, []
    for label, mode in MODES.items():
        why, found = too_much(model) if mode.dense else "", None
        if mode.objective is not None and not why:
            with blocks_seen() as recomputed:
                found = gradient_step(model, mode)()
            if not found or (mode.memory == "fast" and any(recomputed)):
                why = "ran out of memory"
        if why:
            notes.append(Finding(f"{label}: left out, it {why}", {}, passed=None if mode.dense else False))
            continue
        possible[label] = mode
        if found is not None and not bool(found.gradient.isfinite().all()):
            notes.append(Finding(f"{label}: its gradient is not finite on these random weights", {}))
    return possible, notes


def _finding(name: str, row: Row, mode: Mode | None, plain: Row) -> Finding:
    extra = (row.peak - plain.peak) / 1e9
    figures: dict[str, Any] = {TIME: row.ratio, "ms": row.seconds * 1e3, "peak GB": row.peak / 1e9, "extra GB": extra}
    wanted, passed = [], []
    most_time, most_memory = (None, None) if mode is None else _bars(name, mode)
    if most_time is not None:
        wanted.append(f"{most_time:.2f}x")
        passed.append(row.ratio <= most_time)
    if most_memory is not None:
        wanted.append(f"{most_memory:.2f} GB extra")
        passed.append(extra <= most_memory)
    return Finding(row.mode, figures, ", ".join(wanted), all(passed) if passed else None)


def _bars(name: str, mode: Mode) -> tuple[float | None, float | None]:
    """Most time against a plain step, and most memory in GB beyond it; None where there is no bar."""
    if name not in BARS or mode.dense or mode.objective is AttendAndExcite:
        return None, None
    if mode.objective is None:
        return _RECORDING, None
    if mode.share < 1:
        return _FAST, BARS[name].exact
    if mode.memory == "low":
        return None, BARS[name].recomputed
    return PAPER_FLOORS[name] * _FROM_FLOOR if mode.objective is paper else None, BARS[name].exact


def clustering(model: LoadedModel, modes: dict[str, Mode], wait: Wait) -> list[Finding]:
    """The share of finding instances in a plain step, in modes that do."""
    findings = []
    plain = times({"plain": lambda: model_calls(model, {})}, 3, wait)["plain"]
    for label, mode in modes.items():
        with seconds_in(CLUSTERING, wait) as parts:
            step_of(model, mode)()
        if spent := parts["clustering"]:
            figures = {TIME: sum(spent) / plain, "ms": sum(spent) * 1e3}
            wanted = f"under {_PAPERS_KMEANS * 1e3:.0f} ms, the paper's"
            findings.append(Finding(f"{label}: K-means in it", figures, wanted, max(spent) < _PAPERS_KMEANS))
    return findings


def selection(model: LoadedModel, rounds: int, wait: Wait) -> list[Finding]:
    """What scoring a candidate adds to its step: calls recorded, and the score on its own."""
    calls = _recorded(model)
    target = model.counted.target
    steps: dict[str, Step] = {"plain": lambda: model_calls(model, {}), "recorded": lambda: _recorded(model)}
    for score in SCORES:
        steps[score] = partial(score_calls, calls, target, score)
    found = times(steps, rounds, wait)
    seconds = {score: found["recorded"] - found["plain"] + found[score] for score in SCORES}
    return [
        Finding(
            f"latent selection, a step scored by {score}",
            {TIME: 1 + seconds[score] / found["plain"], "ms": found[score] * 1e3},
        )
        for score in SCORES
    ]


def _recorded(model: LoadedModel) -> list[AttentionCall]:
    """A plain step, and its positive conditioning's attention calls as Latent Selection keeps them."""
    return capture_step(model, lambda reader: CallList(MAX_SELF_PIXELS, reader.one_grid)).calls
