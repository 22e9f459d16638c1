"""What a store holds, as sections: all pictures of one model and its settings, counted by one counter, by method."""

from __future__ import annotations

import json
import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from demo.quality import Features, features
from demo.scenes import Kind, random_scene

from .metrics import Difference, Result, by_number, differences, means
from .prompts import FAMILIES
from .store import PictureRow, Store, digest

BASELINE = "none"


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
    families = {name: _family(section.family(name)) for name in FAMILIES}
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


def _plain(table: Mapping[str, Mapping[str, Difference]]) -> dict[str, dict[str, Any]]:
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
