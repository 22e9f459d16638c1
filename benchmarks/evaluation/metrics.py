"""How right counts are: of one picture, of groups of pictures, and the difference between two methods."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from ..lab.statistics import interval
from .store import PictureRow

# name -> what it says of one picture
MEASURES = {
    "exact": "every asked noun as often as asked",
    "present": "every asked noun at least as often as asked",
    "ratio": "share of the asked things that are there, each noun at most as often as asked (the paper's metric)",
    "error": "mean over the asked nouns of |counted - asked|",
    "surplus": "things of the asked nouns beyond the asked number",
    "others": "things of nouns that were not asked for, where the counter sees those",
}
SHARES = frozenset({"exact", "present", "ratio"})


def measure(asked: Mapping[str, int], counted: Mapping[str, int]) -> dict[str, float]:
    """All `MEASURES` of one picture.

    "ratio" is the metric as the ISAC paper writes it: two of five classes are 40 %, three of five cats 60 %. It does not say
    what five cats for "three cats" are; here they are 100 %, and two of "surplus".

    Args:
        asked: noun -> how many, at least 1.
        counted: noun -> how many; absent nouns were not seen.
    """
    found = {noun: counted.get(noun, 0) for noun in asked}
    return {
        "exact": float(all(found[noun] == count for noun, count in asked.items())),
        "present": float(all(found[noun] >= count for noun, count in asked.items())),
        "ratio": sum(min(found[noun], count) for noun, count in asked.items()) / sum(asked.values()),
        "error": sum(abs(found[noun] - count) for noun, count in asked.items()) / len(asked),
        "surplus": float(sum(max(found[noun] - count, 0) for noun, count in asked.items())),
        "others": float(sum(count for noun, count in counted.items() if noun not in asked)),
    }


@dataclass(frozen=True)
class Result:
    """A picture and what its counter saw."""

    row: PictureRow
    counted: Mapping[str, int]

    @property
    def measures(self) -> dict[str, float]:
        """`measure` of this picture."""
        return measure(self.row.asked, self.counted)


@dataclass(frozen=True)
class Difference:
    """Mean paired difference, and its 95 % interval over prompts; None where there is only one prompt."""

    mean: float
    interval: tuple[float, float] | None


def by_number(results: Iterable[Result]) -> dict[int, list[Result]]:
    """Results by k or n, in rising order."""
    groups: dict[int, list[Result]] = defaultdict(list)
    for result in results:
        groups[result.row.number].append(result)
    return dict(sorted(groups.items()))


def means(results: Sequence[Result]) -> dict[str, dict[str, float]]:
    """Means of every measure per number ("2", "3", ...) and their average over numbers, as in the paper's tables."""
    table: dict[str, dict[str, float]] = {}
    for number, group in by_number(results).items():
        rows = [result.measures for result in group]
        table[str(number)] = {name: float(np.mean([row[name] for row in rows])) for name in MEASURES}
    if table:
        columns = list(table.values())
        table["average"] = {name: float(np.mean([column[name] for column in columns])) for name in MEASURES}
    return table


def differences(plain: Sequence[Result], other: Sequence[Result]) -> dict[str, dict[str, Difference]]:
    """What `other` adds to `plain` on the pictures of the same prompt and seed that both have.

    The pictures of one prompt are alike, so the intervals are those of the means of prompts, drawn anew with replacement.

    Returns:
        number or "average" -> measure -> difference.
    """
    pairs = _paired(plain, other)
    table: dict[str, dict[str, Difference]] = {}
    for name in MEASURES:
        columns = {number: _by_prompt(group, name) for number, group in pairs.items()}
        everything = sum(map(len, columns.values()))
        # So weighted, the plain mean over all prompts is the average of the columns.
        weighted = [values * everything / (len(values) * len(columns)) for values in columns.values()]
        for number, values in columns.items():
            table.setdefault(str(number), {})[name] = _difference(values)
        if weighted:
            table.setdefault("average", {})[name] = _difference(np.concatenate(weighted))
    return table


def _paired(plain: Sequence[Result], other: Sequence[Result]) -> dict[int, list[tuple[Result, Result]]]:
    match = {(result.row.prompt, result.row.seed): result for result in plain}
    groups: dict[int, list[tuple[Result, Result]]] = {}
    for number, group in by_number(other).items():
        pairs = [(match[key], result) for result in group if (key := (result.row.prompt, result.row.seed)) in match]
        if pairs:
            groups[number] = pairs
    return groups


def _by_prompt(pairs: Sequence[tuple[Result, Result]], name: str) -> np.ndarray:
    """Mean difference of each prompt."""
    prompts: dict[str, list[float]] = defaultdict(list)
    for plain, other in pairs:
        prompts[other.row.prompt].append(other.measures[name] - plain.measures[name])
    return np.array([np.mean(values) for values in prompts.values()])


def _difference(values: np.ndarray) -> Difference:
    return Difference(float(values.mean()), interval(values) if len(values) > 1 else None)
