"""What outcomes say of a method, against plain sampling of the same prompts, group by group: numbers only, no model."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from .prompt_files import PromptRow
from .statistics import Mean, mean_of

ALL = "all"
_ORDER = (
    ALL, "one kind", "of one kind", "2 kinds", "2 kinds in 2 colours", "3 or 4 kinds", "similar kinds", "dissimilar kinds",
    "with colours", "objects", "in the plain picture",
)  # fmt: skip
_SIZES = ((0.25, "up to 25 %"), (0.4, "25 to 40 %"), (np.inf, "over 40 %"))


class Seen(Protocol):
    """What is read of an outcome, see `judged_pictures.Outcome`."""

    counted: dict[str, int]
    size: float | None
    seconds: float
    operations: float | None


@dataclass(frozen=True)
class Figures:
    """One method in one group of prompts.

    Attributes:
        prompts: how many.
        right: share of pictures with every noun of the world as often as asked (in its colour, where the judge can tell).
        difference: of that to plain sampling, paired.
        harmed, mended: shares of pictures that were right plain and are wrong now, and the other way round.
        asked_right: share with every asked noun as often as asked, whatever else is there.
        error: mean number of objects missing or too many, over all nouns.
        error_difference: of that to plain sampling, paired.
        cost: operations over those of plain sampling, of the prompts where they were counted; None without any.
        time: seconds over those of plain sampling.
        seconds: mean of a picture.
    """

    prompts: int
    right: Mean
    difference: Mean
    harmed: float
    mended: float
    asked_right: float
    error: float
    error_difference: Mean
    cost: Mean | None
    time: float
    seconds: float


def is_right(wanted: Mapping[str, int], seen: Seen) -> bool:
    """Every noun as often as wanted; nouns that are wanted 0 times are in `wanted`."""
    return all(seen.counted.get(noun, 0) == number for noun, number in wanted.items())


def error_of(row: PromptRow, seen: Seen) -> int:
    """Objects missing or too many, over all nouns; colours are no part of it."""
    nouns = {noun for noun in (*row.counts, *seen.counted) if " " not in noun}
    return sum(abs(seen.counted.get(noun, 0) - row.counts.get(noun, 0)) for noun in nouns)


def figures_of(
    rows: Sequence[PromptRow], wanted: Sequence[Mapping[str, int]], plain: Sequence[Seen], other: Sequence[Seen]
) -> Figures:
    """Figures of one method; all four are of the same prompts, in the same order."""
    before, after = (
        np.array([is_right(*pair) for pair in zip(wanted, run, strict=True)], float) for run in (plain, other)
    )
    asked = [
        all(one.counted.get(n, 0) == m for n, m in row.counts.items()) for row, one in zip(rows, other, strict=True)
    ]
    errors = [np.array([error_of(*pair) for pair in zip(rows, run, strict=True)], float) for run in (plain, other)]
    costs = [b.operations / a.operations for a, b in zip(plain, other, strict=True) if a.operations and b.operations]
    seconds = [sum(one.seconds for one in run) for run in (plain, other)]
    return Figures(
        prompts=len(rows),
        right=mean_of(after),
        difference=mean_of(after - before),
        harmed=float((before * (1 - after)).mean()),
        mended=float((after * (1 - before)).mean()),
        asked_right=float(np.mean(asked)),
        error=float(errors[1].mean()),
        error_difference=mean_of(errors[1] - errors[0]),
        cost=mean_of(costs),
        time=seconds[1] / seconds[0],
        seconds=seconds[1] / len(rows),
    )


def groups_of(rows: Sequence[PromptRow], plain: Sequence[Seen]) -> dict[str, list[int]]:
    """Indices of the prompts of each group, in the order in which a table shows them.

    Beside the prompts' own groups there are those by the size of what the plain picture shows.
    """
    groups: dict[str, list[int]] = {}
    for index, (row, seen) in enumerate(zip(rows, plain, strict=True)):
        names = [ALL, *row.groups]
        if seen.size is not None:
            size = next(name for most, name in _SIZES if seen.size <= most)
            names.append(f"objects of {size} of the side in the plain picture")
        for name in names:
            groups.setdefault(name, []).append(index)
    return {name: groups[name] for name in sorted(groups, key=_place)}


def _place(group: str) -> tuple[int, list[int]]:
    kind = group if group in _ORDER else max((one for one in _ORDER if group.endswith(one)), key=len)
    return _ORDER.index(kind), [int(number) for number in re.findall(r"\d+", group)]


def pick(values: Sequence[Any], chosen: Sequence[int]) -> list[Any]:
    """Those of the chosen indices."""
    return [values[index] for index in chosen]
