"""Markdown tables, and figures with their intervals in a cell."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> list[str]:
    """Lines of a Markdown table. A bar within a cell becomes a slash, so that it ends no column."""
    lines = ["| " + " | ".join(str(cell).replace("|", "/") for cell in row) + " |" for row in (header, *rows)]
    return [lines[0], "|" + "---|" * len(header), *lines[1:]]


def with_interval(form: str, mean: float, interval: tuple[float, float] | None) -> str:
    """ "1.5 (1.2 to 1.9)", each number in the format `form`; the mean alone where there is no interval."""
    text = format(mean, form)
    return text if interval is None else f"{text} ({format(interval[0], form)} to {format(interval[1], form)})"
