"""Runs prompts with several methods, and keeps what came out, so that a stopped run goes on: for `benchmarks.effect`.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

import numpy as np

from .judged_pictures import Bench, Outcome
from .node_methods import Method
from .prompt_files import PromptRow
from .store import KeptRows
from .worlds import World

COST_EVERY = 10  # prompts: counting operations takes three times as long as a picture


@dataclass(frozen=True)
class Run:
    """What was measured.

    Attributes:
        outcomes: method -> one outcome for each prompt.
        drawn: two sets of (N, D) features of drawn scenes of what the prompts ask for.
    """

    outcomes: dict[str, list[Outcome]]
    drawn: tuple[np.ndarray, np.ndarray]


def run_prompts(
    world: World,
    rows: Sequence[PromptRow],
    methods: Sequence[Method],
    out: Path,
    report: Callable[[str], None],
    *,
    part: tuple[int, int] = (0, 1),
    costs: bool = True,
) -> Run:
    """Outcomes of all prompts, or of one part of them; those in the file `out` are read, the others made and added.

    Args:
        costs: count the operations of every tenth prompt.
    """
    kept, bench, began = KeptRows(out, "outcome"), cache(lambda: Bench(world)), time.monotonic()
    decider, fixed = world.decider.digest, f"{world.model.digest} {world.judge.digest} {world.sampling}"
    outcomes: dict[str, list[Outcome]] = {method.name: [] for method in methods}
    numbered = list(enumerate(rows))[part[0] :: part[1]]

    def outcome(number: int, row: PromptRow, method: Method) -> Outcome:
        key = f"{row.seed} {row.prompt} {method.key} {decider if method.counts else ''} {fixed}"
        found = Outcome(**kept.get(key, lambda: asdict(bench().outcome(row, method))))
        if number % COST_EVERY or not costs:
            return found
        return replace(found, operations=kept.get(f"operations {key}", lambda: bench().operations(row, method)))

    def drawn(row: PromptRow, turn: int) -> list[float]:
        name = f"drawn {turn} {row.seed}"
        scene = lambda: world.drawn(row, random.Random(name))  # noqa: E731
        return kept.get(f"{name} {fixed}", lambda: bench().features(scene()))

    scenes: tuple[list[list[float]], list[list[float]]] = [], []
    for place, (number, row) in enumerate(numbered, 1):
        for method in methods:
            outcomes[method.name].append(outcome(number, row, method))
        for turn, features in enumerate(scenes):
            features.append(drawn(row, turn))
        if place % 10 == 0:
            report(f"{place} of {len(numbered)} prompts, {time.monotonic() - began:.0f} s")
    return Run(outcomes, (np.array(scenes[0]), np.array(scenes[1])))
