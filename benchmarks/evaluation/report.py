"""Tables of a store: Markdown for people, the same figures as JSON."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from demo.quality import Features, describe, frechet_distance, quality_table, summary
from demo.scenes import Kind, random_scene

from .metrics import MEASURES, SHARES, Difference, Result, differences, means
from .prompts import FAMILIES, SHAPES
from .store import PictureRow, Store

BASELINE = "none"


@dataclass(frozen=True)
class Section:
    """Everything of one model, its sampler settings and one counter: method -> results."""

    vocabulary: str
    model: Mapping[str, Any]
    counter: str
    methods: Mapping[str, Sequence[Result]]

    @property
    def baseline(self) -> str:
        """The method that the others are compared to."""
        return BASELINE if BASELINE in self.methods else next(iter(self.methods))


def sections(store: Store) -> list[Section]:
    """Every combination of model, settings and counter in a store."""
    found: dict[str, tuple[PictureRow, str, dict[str, list[Result]]]] = {}
    pictures, labels = store.pictures(), _labels(store.pictures().values())
    for (key, counter), counts in store.counts().items():
        if row := pictures.get(key):
            name = json.dumps([row.vocabulary, row.model, counter], sort_keys=True)
            methods = found.setdefault(name, (row, counter, {}))[2]
            methods.setdefault(labels[_way(row)], []).append(Result(row, counts))
    return [
        Section(row.vocabulary, row.model, counter, dict(sorted(methods.items(), key=lambda m: (m[0] != BASELINE, m[0]))))
        for row, counter, methods in found.values()
    ]
