"""What the demo asked for, what came out, and the table that says so."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from .counter import find_shapes
from .scenes import Kind

Seen = Callable[[np.ndarray], Sequence[tuple[str, str | None]]]
"""What a counter makes of one picture (H, W, 3) uint8: the noun of each object, in the singular, and its colour where it can
tell."""


@dataclass(frozen=True)
class Ask:
    """One prompt of the demo and what a right picture of it holds."""

    prompt: str
    kinds: tuple[Kind, ...]

    @property
    def wanted(self) -> str:
        """The counts alone, in the order of the prompt: "3+2"."""
        return "+".join(str(kind.count) for kind in self.kinds)


@dataclass(frozen=True)
class Count:
    """What one picture holds.

    Attributes:
        kinds: per asked kind, how many objects of its noun, and of its colour where the prompt names one.
        others: objects that belong to no asked kind.
        is_right: every kind as often as asked, and nothing else.
    """

    kinds: tuple[int, ...]
    others: int
    is_right: bool

    def __str__(self) -> str:
        text = "+".join(map(str, self.kinds))
        return f"{text}({self.others})" if self.others else text


@dataclass(frozen=True)
class Column:
    """What one way of drawing made of a prompt: its pictures, each (H, W, 3) uint8, and their counts."""

    pictures: tuple[np.ndarray, ...]
    counts: tuple[Count, ...]

    @property
    def right(self) -> int:
        """How many pictures are exactly right."""
        return sum(count.is_right for count in self.counts)


@dataclass(frozen=True)
class Row:
    """One prompt, drawn in several ways: title -> what came out."""

    ask: Ask
    columns: Mapping[str, Column]


def shapes_seen(picture: np.ndarray) -> list[tuple[str, str | None]]:
    """`Seen` of the exact counter of drawn shapes."""
    return [(shape.noun, shape.colour) for shape in find_shapes(picture)]


def count_picture(ask: Ask, seen: Sequence[tuple[str, str | None]]) -> Count:
    """Compare what a picture shows with what was asked for."""
    found = [sum(noun == kind.noun and kind.colour in (None, colour) for noun, colour in seen) for kind in ask.kinds]
    others = len(seen) - sum(found)
    return Count(tuple(found), others, others == 0 and found == [kind.count for kind in ask.kinds])


def make_row(ask: Ask, drawn: Mapping[str, Sequence[np.ndarray]], seen: Seen = shapes_seen) -> Row:
    """Count the pictures of every column."""
    columns = {
        title: Column(tuple(pictures), tuple(count_picture(ask, seen(picture)) for picture in pictures))
        for title, pictures in drawn.items()
    }
    return Row(ask, columns)


def totals(rows: Sequence[Row]) -> Iterator[str]:
    """For every column, how many pictures are exactly right."""
    for title in rows[0].columns:
        columns = [row.columns[title] for row in rows]
        pictures = sum(len(column.pictures) for column in columns)
        yield f"{title}: {sum(column.right for column in columns)} of {pictures} images right"


def cells(rows: Sequence[Row]) -> list[tuple[str, ...]]:
    """The report's table: its head, then a line for each prompt."""
    lines = [("prompt", "asked", *rows[0].columns)]
    for row in rows:
        verdicts = (
            f"{column.right} of {len(column.counts)} right: {' '.join(map(str, column.counts))}"
            for column in row.columns.values()
        )
        lines.append((row.ask.prompt, row.ask.wanted, *verdicts))
    return lines


def remarks(rows: Sequence[Row], prompts: int | None = None) -> Iterator[str]:
    """What stands below the table; with `prompts`, how many there are to be, it says so where some are missing."""
    if prompts is not None and len(rows) < prompts:
        yield f"Only {len(rows)} of {prompts} prompts are in: the demo has not finished."
    yield "Counts stand in the order of the prompt; in brackets, objects that nobody asked for or in another colour."
    yield "So few images show how it works, not how well: make bench lists the measurements."


def table(rows: Sequence[Row], prompts: int | None = None) -> Iterator[str]:
    """Lines of the report, for a terminal; `prompts` as of `remarks`."""
    lines = cells(rows)
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
    yield ""
    yield from totals(rows)
    yield ""
    yield from remarks(rows, prompts)
