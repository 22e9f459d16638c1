"""Counts the pictures of a store that its counter has not seen yet."""

from __future__ import annotations

from collections.abc import Callable

from .counters import PictureCounter
from .store import CountRow, Store, in_part


def count_all(
    store: Store, counter: PictureCounter, vocabulary: str, part: tuple[int, int], report: Callable[[str], None]
) -> None:
    """Count, in the pictures of one vocabulary and this part (i, n), what each was asked for."""
    done = store.counts()
    rows = [row for row in store.pictures().values() if row.vocabulary == vocabulary and in_part(row.key, part)]
    missing = [row for row in rows if (row.key, counter.name) not in done]
    for number, row in enumerate(missing, start=1):
        counts = counter.count(store.pixels(row), tuple(row.asked))
        store.add_counts(CountRow(row.key, counter.name, counts))
        if number % 100 == 0 or number == len(missing):
            report(f"counted {number} of {len(missing)} pictures")
