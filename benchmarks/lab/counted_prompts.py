"""Prompts with the counts that a person reads in them: rows of a JSON-lines file."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Row:
    """One prompt and the counts that a person reads in it.

    Attributes:
        id: names the row in the report.
        prompt: the prompt.
        counts: noun -> count; None where the line has to be refused.
        line: the objects line beside the prompt; None for a row without one.
    """

    id: str
    prompt: str
    counts: Mapping[str, int] | None
    line: str | None = None

    @property
    def targets(self) -> int:
        return 1 if self.counts is None else len(self.counts)


def read_rows(file: Path) -> Iterator[Row]:
    """Rows of a JSON-lines file; empty lines are left out.

    Raises:
        ValueError: a row is malformed; the message names file and line.
    """
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                yield _row(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f'{file}:{number}: expected {{"id", "prompt", "counts"}}: {error!r}') from error


def _row(data: Mapping[str, object]) -> Row:
    prompt, counts, line = data["prompt"], data["counts"], data.get("line")
    if not isinstance(prompt, str) or not isinstance(line, str | None):
        raise ValueError("prompt and line must be texts")
    if counts is None and line is not None:
        return Row(str(data["id"]), prompt, None, line)
    if not isinstance(counts, dict):
        raise ValueError("counts must be an object, or null beside a line")
    for noun, count in counts.items():
        if not noun.strip() or type(count) is not int or count < 1:
            raise ValueError(f"the count of {noun!r} must be a whole number of at least 1, not {count!r}")
    return Row(str(data["id"]), prompt, counts, line)
