"""Reads the two files of CountBench: prompts, and how many of each noun every prompt asks for."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from headcount.core.errors import CountError
from headcount.core.prompts import NounPlaces, split_words

_FORM = 'one line per prompt such as {"cats": 3, "dogs": 2}, whole numbers from 1'


@dataclass(frozen=True)
class Ask:
    """One prompt.

    Attributes:
        index: its line in the file, from 1; videos are named after it.
        prompt: the text.
        counts: noun, as the prompt writes it -> how many.
    """

    index: int
    prompt: str
    counts: Mapping[str, int]


def read_asks(prompts: Path, counts: Path) -> list[Ask]:
    """Read `prompts` (one per line) and `counts` (one JSON object per line, in the same order).

    Raises:
        CountError: a file is not there, the files differ in length, or a line is malformed; names file and line.
    """
    texts, rows = _lines(prompts), _lines(counts)
    if len(texts) != len(rows):
        raise CountError(
            f"{prompts} has {len(texts)} prompts and {counts} {len(rows)} lines. Give one line to each prompt"
        )
    return [_ask(index, text, row, counts) for index, (text, row) in enumerate(zip(texts, rows, strict=True), start=1)]


def _lines(file: Path) -> list[str]:
    """Lines of a file; empty ones may stand at its end only, since a line's number is its prompt's."""
    try:
        lines = file.read_text(encoding="utf-8-sig").split("\n")
    except (OSError, UnicodeDecodeError) as error:
        raise CountError(f"{file} cannot be read: {error}. Give a file of UTF-8 text") from error
    lines = [line.strip() for line in lines]
    while lines and not lines[-1]:
        del lines[-1]
    if "" in lines:
        raise CountError(
            f"{file}:{lines.index('') + 1}: the line is empty. Lines are matched by their number: remove it"
        )
    if not lines:
        raise CountError(f"{file} is empty. Give one line per prompt")
    return lines


def _ask(index: int, prompt: str, row: str, file: Path) -> Ask:
    try:
        counts = dict(_checked(json.loads(row)))
    except ValueError as error:
        raise CountError(f"{file}:{index}: {row[:80]!r} {error}. Expected is {_FORM}") from error
    words = NounPlaces(split_words(prompt))
    if not any(words.of(noun.lower().split()) for noun in counts):
        raise CountError(
            f"{file}:{index}: none of {', '.join(counts)} is in the prompt of that line, {prompt[:80]!r}. "
            "Give both files in the same order"
        )
    return Ask(index, prompt, counts)


def _checked(row: object) -> Iterator[tuple[str, int]]:
    if not isinstance(row, dict) or not row:
        raise ValueError("is no JSON object with a noun in it")
    for noun, count in row.items():
        if not noun.strip() or not isinstance(count, int) or isinstance(count, bool) or count < 1:
            raise ValueError(f"asks for {count!r} of {noun!r}")
        yield noun, count
