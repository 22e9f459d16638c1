"""What a store holds: how right its counts are, by model, counter, method and number, and what methods change.

A section is all pictures of one model and its settings, counted by one counter, by method.
"""

from __future__ import annotations

import json
import random
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo.quality import Features, features
from demo.scenes import Kind, random_scene

from ..lab.statistics import Mean, mean_of
from ..lab.store import digest
from .pictures import PictureRow, Store
from .prompts import FAMILIES

BASELINE = "none"
# name -> what it says of one picture
MEASURES = {
    "exact": "every asked noun as often as asked",
    "present": "every asked noun at least as often as asked",
    "ratio": "share of the asked things that are there, each noun at most as often as asked (the paper's metric)",
    "error": "mean over the asked nouns of |counted - asked|",
    "surplus": "things of the asked nouns beyond the asked number",
    "F1": "of the asked things: 2 TP / (2 TP + FP + FN) of each image (HRS-Bench's metric)",
    "others": "things of nouns that were not asked for, where the counter sees those",
}
SHARES = frozenset({"exact", "present", "ratio", "F1"})


def measure(asked: Mapping[str, int], counted: Mapping[str, int]) -> dict[str, float]:
    """All `MEASURES` of one picture.

    "ratio" is the metric as the ISAC paper writes it: two of five classes are 40 %, three of five cats 60 %. It does not say
    what five cats for "three cats" are; here they are 100 %, and two of "surplus".

    Args:
        asked: noun -> how many, at least 1.
        counted: noun -> how many; absent nouns were not seen.
    """
    found = {noun: counted.get(noun, 0) for noun in asked}
    right = sum(min(found[noun], count) for noun, count in asked.items())
    return {
        "exact": float(all(found[noun] == count for noun, count in asked.items())),
        "present": float(all(found[noun] >= count for noun, count in asked.items())),
        "ratio": right / sum(asked.values()),
        "error": sum(abs(found[noun] - count) for noun, count in asked.items()) / len(asked),
        "surplus": float(sum(max(found[noun] - count, 0) for noun, count in asked.items())),
        "F1": 2 * right / (sum(found.values()) + sum(asked.values())),
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


def differences(plain: Sequence[Result], other: Sequence[Result]) -> dict[str, dict[str, Mean]]:
    """What `other` adds to `plain` on the pictures of the same prompt and seed that both have.

    The pictures of one prompt are alike, so the intervals are those of the means of prompts, drawn anew with replacement.

    Returns:
        number or "average" -> measure -> difference.
    """
    pairs = _paired(plain, other)
    table: dict[str, dict[str, Mean]] = {}
    for name in MEASURES:
        columns = {number: _by_prompt(group, name) for number, group in pairs.items()}
        everything = sum(map(len, columns.values()))
        # So weighted, the plain mean over all prompts is the average of the columns.
        weighted = [values * everything / (len(values) * len(columns)) for values in columns.values()]
        for number, values in columns.items():
            table.setdefault(str(number), {})[name] = mean_of(values)
        if weighted:
            table.setdefault("average", {})[name] = mean_of(np.concatenate(weighted))
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


@dataclass(frozen=True)
class Section:
    """The results of one model, its sampler's settings and one counter.

    Attributes:
        vocabulary: name of the prompts' nouns.
        model: name of the model and settings of its sampler.
        counter: name of the counter.
        methods: name of the method -> its results, the one that others are compared to first.
    """

    vocabulary: str
    model: Mapping[str, Any]
    counter: str
    methods: Mapping[str, Sequence[Result]]

    def family(self, name: str) -> dict[str, list[Result]]:
        """Results of one family of prompts by method; methods without any are left out."""
        chosen = {
            method: [result for result in results if result.row.family == name]
            for method, results in self.methods.items()
        }
        return {method: results for method, results in chosen.items() if results}


def sections(store: Store) -> list[Section]:
    """Everything in a store that was counted."""
    pictures = store.pictures()
    labels = _labels(pictures.values())
    groups: dict[str, dict[str, list[Result]]] = {}
    for (key, counter), counts in store.counts().items():
        if row := pictures.get(key):
            name = json.dumps([row.vocabulary, row.model, counter])
            results = groups.setdefault(name, {}).setdefault(labels[row.key], [])
            results.append(Result(row, counts))
    return [
        Section(*json.loads(name), {label: methods[label] for label in sorted(methods, key=_baseline_first)})
        for name, methods in groups.items()
    ]


def _baseline_first(label: str) -> tuple[bool, str]:
    return label != BASELINE, label


def _labels(rows: Iterable[PictureRow]) -> dict[str, str]:
    """Key of a picture -> name of its method, with a digest where one method ran with several settings."""
    settings: dict[str, set[str]] = {}
    for row in rows:
        settings.setdefault(row.method, set()).add(digest(row.method_settings))
    return {
        row.key: row.method if len(settings[row.method]) == 1 else f"{row.method} {digest(row.method_settings)[:4]}"
        for row in rows
    }


def figures(section: Section) -> dict[str, Any]:
    """All numbers of a section, ready for JSON.

    Returns:
        "families" -> family -> method -> its "pictures", "means" and "differences" to the first method, each by number and
        "average" ("all" for pictures); beside it the model, the counter, the methods' settings and median seconds.
    """
    shown = {result.row.family for results in section.methods.values() for result in results}
    families = {name: _family(section.family(name)) for name in (*FAMILIES, *sorted(shown - {*FAMILIES}))}
    return {
        "vocabulary": section.vocabulary,
        "model": dict(section.model),
        "counter": section.counter,
        "code": sorted({result.row.code for results in section.methods.values() for result in results}),
        "settings": {method: results[0].row.method_settings for method, results in section.methods.items()},
        "families": {name: methods for name, methods in families.items() if methods},
        "median seconds": {
            method: float(np.median([result.row.seconds for result in results]))
            for method, results in section.methods.items()
        },
    }


def _family(methods: Mapping[str, Sequence[Result]]) -> dict[str, Any]:
    first = next(iter(methods.values()), [])
    return {
        method: {
            "pictures": {**{str(k): len(group) for k, group in by_number(results).items()}, "all": len(results)},
            "means": means(results),
            "differences": {} if results is first else _plain(differences(first, results)),
        }
        for method, results in methods.items()
    }


def _plain(table: Mapping[str, Mapping[str, Mean]]) -> dict[str, dict[str, Any]]:
    return {
        column: {name: {"mean": item.mean, "interval": item.interval} for name, item in measures.items()}
        for column, measures in table.items()
    }


def quality_of(section: Section, store: Store) -> dict[str, list[Features]]:
    """Features of a section's Shapes pictures by method."""
    return {
        method: [features(store.pixels(result.row)) for result in results]
        for method, results in section.methods.items()
    }


def drawn_as_asked(section: Section, seed: int) -> list[Features]:
    """Features of drawn scenes of what the prompts ask for, as many as the first method has pictures."""
    rng = random.Random(seed)
    first = next(iter(section.methods.values()))
    kinds = (tuple(Kind(noun, count) for noun, count in result.row.asked.items()) for result in first)
    return [features(random_scene(rng, asked).picture) for asked in kinds]
