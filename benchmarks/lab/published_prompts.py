"""Counting prompts of other benchmarks, from the user's own copy of the file that their authors publish.

| file | of | what is read |
|---|---|---|
| `evaluation_metadata.jsonl` | GenEval (github.com/djghosh13/geneval, prompts) | rows with the tag "counting" |
| `*.csv` | HRS-Bench (github.com/eslambakr/HRS_benchmark, counting prompts) | n1, obj1, n2, obj2, synthetic_prompt |
| `numeracy_val.txt` | T2I-CompBench++ (github.com/Karine-Huang/T2I-CompBench) | lines, as Count Prompt reads |
"""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TypeVar

from headcount.core.errors import CountError
from headcount.core.prompts import parse_prompt, singular

Item = TypeVar("Item")
Asked = tuple[str, dict[str, int]]
"""A prompt, and singular noun -> how many."""


def evenly(items: list[Item], limit: int | None) -> list[Item]:
    """At most `limit` of what a file holds, evenly over it: CountBench's order, for one, goes from one thing to many."""
    if limit is None or limit >= len(items):
        return items
    return [items[place * len(items) // limit] for place in range(limit)]


def read_published(file: Path) -> list[Asked]:
    """The prompts of a file that ask for something countable, each once.

    Raises:
        CountError: the file is missing, has another layout, or asks for nothing.
    """
    reader = _READERS.get(file.suffix.lower())
    if reader is None:
        raise CountError(f"{file} is no file of prompts: give one of {', '.join(_READERS)}, see --help")
    try:
        found = list(reader(file.read_text(encoding="utf-8-sig")))
    except OSError as error:
        raise CountError(f"{file} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError) as error:
        raise CountError(f"{file} has not the layout that is read: {error}. See --help") from error
    asks = {prompt: counts for prompt, counts in found if counts}
    if not asks:
        raise CountError(f"{file} has no prompt that asks for a number of things")
    return list(asks.items())


def _geneval(text: str) -> Iterator[Asked]:
    for line in text.splitlines():
        row = json.loads(line)
        if row["tag"] == "counting":
            yield row["prompt"], {one["class"]: int(one["count"]) for one in row["include"]}


def _hrs(text: str) -> Iterator[Asked]:
    for row in csv.DictReader(text.splitlines()):
        pairs = [(row["obj1"], int(row["n1"])), (row["obj2"], int(row["n2"]))]
        yield row["synthetic_prompt"], {noun: number for noun, number in pairs if number}


def _lines(text: str) -> Iterator[Asked]:
    for line in filter(None, map(str.strip, text.splitlines())):
        counts: dict[str, int] = {}
        for one in parse_prompt(line):
            noun = singular(one.noun)
            counts[noun] = counts.get(noun, 0) + one.count
        yield line, counts


_READERS: dict[str, Callable[[str], Iterator[Asked]]] = {".jsonl": _geneval, ".csv": _hrs, ".txt": _lines}
