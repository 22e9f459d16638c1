"""What the demo asked for, what came out, and the table that says so."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from .counter import find_shapes
from .scenes import Kind


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
        kinds: per asked kind, how many shapes of its noun, and of its colour where the prompt names one.
        others: shapes that belong to no asked kind.
        is_right: every kind as often as asked, and nothing else.
    """

    kinds: tuple[int, ...]
    others: int
    is_right: bool

    def __str__(self) -> str:
        text = "+".join(map(str, self.kinds))
        return f"{text}({self.others})" if self.others else text


@dataclass(frozen=True)
class Row:
    """One prompt with its pictures, (H, W, 3) uint8, and their counts; both lists from the same noise."""

    ask: Ask
    without: tuple[np.ndarray, ...]
    steered: tuple[np.ndarray, ...]
    counts_without: tuple[Count, ...]
    counts_steered: tuple[Count, ...]


def count_picture(ask: Ask, picture: np.ndarray) -> Count:
    """Count the shapes of a picture with the exact counter."""
    shapes = find_shapes(picture)
    found = [
        sum(shape.noun == kind.noun and kind.colour in (None, shape.colour) for shape in shapes) for kind in ask.kinds
    ]
    others = len(shapes) - sum(found)
    return Count(tuple(found), others, others == 0 and found == [kind.count for kind in ask.kinds])


def make_row(ask: Ask, without: list[np.ndarray], steered: list[np.ndarray]) -> Row:
    """Count both lists of pictures."""
    counts = [tuple(count_picture(ask, picture) for picture in pictures) for pictures in (without, steered)]
    return Row(ask, tuple(without), tuple(steered), *counts)


def _totals(rows: list[Row]) -> Iterator[str]:
    """How many pictures are right, with and without, by two measures."""
    pictures = sum(len(row.without) for row in rows)
    named = {"everything right": lambda ask, count: count.is_right, "right number of shapes": _right_number}
    for name, check in named.items():
        without = sum(check(row.ask, count) for row in rows for count in row.counts_without)
        steered = sum(check(row.ask, count) for row in rows for count in row.counts_steered)
        yield f"{name}: {without} of {pictures} pictures without ISAC, {steered} of {pictures} with ISAC"


def _right_number(ask: Ask, count: Count) -> bool:
    return sum(count.kinds) + count.others == sum(kind.count for kind in ask.kinds)


def table(rows: list[Row], prompts: int | None = None) -> Iterator[str]:
    """Lines of the report; with `prompts`, how many there are to be, it says so where some are missing."""
    lines = [("prompt", "asked", "counted without", "counted with ISAC", "right without", "right with")]
    for row in rows:
        right = [sum(count.is_right for count in counts) for counts in (row.counts_without, row.counts_steered)]
        counted = [" ".join(map(str, counts)) for counts in (row.counts_without, row.counts_steered)]
        lines.append((row.ask.prompt, row.ask.wanted, *counted, *(f"{n} of {len(row.without)}" for n in right)))
    widths = [max(len(line[column]) for line in lines) for column in range(len(lines[0]))]
    for line in lines:
        yield "  ".join(text.ljust(width) for text, width in zip(line, widths, strict=True)).rstrip()
    yield ""
    yield from _totals(rows)
    if prompts is not None and len(rows) < prompts:
        yield f"Only {len(rows)} of {prompts} prompts are in: the demo has not finished."
    yield ""
    yield "Counts stand in the order of the prompt; in brackets, shapes that nobody asked for or in another colour."
    yield "So few pictures show how it works, not how well: `make bench` lists the measurements."
