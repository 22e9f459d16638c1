"""How the tried seeds fare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...core.counting import Counted, columns_of, count_words, distances, misses
from ..comfyui.node_text import NodeResult


@dataclass(frozen=True)
class Candidate:
    """How one candidate fares.

    Attributes:
        index: its place among the tried ones, from 0.
        seed: what a sampler is given to make it.
        numbers: its counts, in the order of what is asked.
        misses: how many things are too many or too few; 0 is right.
        distance: the same of the counts as they are, not whole.
    """

    index: int
    seed: int
    numbers: tuple[float, ...]
    misses: int
    distance: float


def judged(indices: list[int], seeds: list[int], counted: Counted, asked: Mapping[str, int]) -> list[Candidate]:
    """Candidates with their counts, in their order.

    Raises:
        CountError: an asked noun was not counted.
    """
    numbers = counted.numbers[:, columns_of(counted, asked)].tolist()
    rows = zip(
        indices, seeds, numbers, misses(counted, asked).tolist(), distances(counted, asked).tolist(),
        strict=True,
    )  # fmt: skip
    return [Candidate(index, seed, tuple(row), off, far) for index, seed, row, off, far in rows]


def best_first(candidates: list[Candidate]) -> list[Candidate]:
    """Fewest misses first, then the smallest distance, then the earliest."""
    return sorted(candidates, key=lambda one: (one.misses, one.distance, one.index))


def as_table(candidates: list[Candidate], asked: Mapping[str, int], batch: bool, notes: Sequence[str] = ()) -> str:
    """One line per candidate, best first, then the notes, as text for the user."""
    lines = ["asked: " + ", ".join(count_words(number, noun) for noun, number in asked.items())]
    for one in candidates:
        seen = ", ".join(count_words(number, noun) for number, noun in zip(one.numbers, asked, strict=True))
        verdict = "right" if one.misses == 0 else f"off by {one.misses}"
        lines.append(f"{f'index {one.index}' if batch else f'seed {one.seed}'}: {seen}: {verdict}")
    right = sum(one.misses == 0 for one in candidates)
    return "\n".join([*lines, *notes, f"{right} of {len(candidates)} tried look right"])


def as_result(candidates: Sequence[Candidate], table: str) -> NodeResult:
    """What the node says: the last line of the `table` of these candidates as the verdict, then the others."""
    *lines, verdict = table.splitlines()
    marks = tuple(one.misses == 0 for one in candidates)
    return NodeResult(verdict, any(marks), marks, "\n".join(lines))
