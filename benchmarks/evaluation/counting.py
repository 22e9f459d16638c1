"""Counts the pictures of a store that its counter has not seen yet."""

from __future__ import annotations

from collections.abc import Callable

from .counters import PictureCounter
from .generation import in_part
from .store import CountRow, Store


def count_all(store: Store, counter: PictureCounter, part: tuple[int, int], report: Callable[[str], None]) -> None:
    """Count, in pictures of this part (i, n), what each was asked for."""
    done = store.counts()
    missing = [
        row for key, row in store.pictures().items() if in_part(key, part) and (key, counter.name) not in done
    ]
    for number, row in enumerate(missing, start=1):
        counts = counter.count(store.pixels(row), tuple(row.asked))
        store.add_counts(CountRow(row.key, counter.name, counts))
        if number % 100 == 0 or number == len(missing):
            report(f"counted {number} of {len(missing)} pictures")
