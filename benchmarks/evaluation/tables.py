"""The report of a store as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from demo.quality import quality_table, summary

from .metrics import MEASURES, SHARES
from .prompts import SHAPES
from .report import drawn_as_asked, figures, quality_of, sections
from .store import Store

Figures = Mapping[str, Any]


def render(store: Store) -> tuple[list[str], list[dict[str, Any]]]:
    """Everything in a store that was counted: Markdown lines, and the same figures for JSON."""
    lines: list[str] = []
    numbers = []
    for section in sections(store):
        content = figures(section)
        lines += [*_heading(content), *_families(content["families"]), *_time(content["median seconds"])]
        if section.vocabulary == SHAPES.name:
            seen = quality_of(section, store)
            content["quality"] = {method: summary(pictures) for method, pictures in seen.items()}
            rows = {**seen, "drawn scenes": drawn_as_asked(section, seed=1)}
            lines += ["", "### Image quality", "", *quality_table(rows, drawn_as_asked(section, seed=0))]
        numbers.append(content)
    if lines:
        lines += ["", *(f"- {name}: {meaning}" for name, meaning in MEASURES.items())]
        lines.append("- differences: on the same prompts and seeds, with 95 % bootstrap intervals over prompts")
    return lines, numbers


def _heading(content: Figures) -> Iterator[str]:
    model = content["model"]
    settings = ", ".join(f"{name} {value}" for name, value in model.items() if name != "name")
    yield from ("", f"## {content['vocabulary']} on {model['name']}", "")
    yield f"{settings}; counted by {content['counter']}"
    if len(content["code"]) > 1:
        yield from ("", f"Note: the pictures were drawn by {len(content['code'])} versions of the pack's code.")


def _families(families: Figures) -> Iterator[str]:
    for name, methods in families.items():
        numbers = sorted({column for method in methods.values() for column in method["pictures"]} - {"all"}, key=int)
        columns = [*numbers, "average"]
        head = " | ".join([*(f"#{number}" for number in numbers), "average"])
        yield from ("", f"### {name}", "", f"| measure | method | {head} |", "|---" * (len(columns) + 2) + "|")
        for method, results in methods.items():
            counts = " | ".join(str(results["pictures"].get(column, 0)) for column in [*numbers, "all"])
            yield f"| pictures | {method} | {counts} |"
        for measure in MEASURES:
            yield from _measure(measure, methods, columns)


def _measure(measure: str, methods: Figures, columns: list[str]) -> Iterator[str]:
    if measure == "others" and not any(results["means"]["average"][measure] for results in methods.values()):
        return
    for method, results in methods.items():
        cells = [_value(measure, results["means"].get(column)) for column in columns]
        yield f"| {measure} | {method} | {' | '.join(cells)} |"
    first = next(iter(methods))
    for method, results in methods.items():
        if results["differences"]:
            cells = [_difference(measure, results["differences"].get(column)) for column in columns]
            yield f"| {measure} | {method} - {first} | {' | '.join(cells)} |"


def _value(measure: str, column: Figures | None) -> str:
    if column is None:
        return "-"
    return f"{column[measure]:.1%}" if measure in SHARES else f"{column[measure]:.2f}"


def _difference(measure: str, column: Figures | None) -> str:
    if column is None:
        return "-"
    form = "{:+.1%}" if measure in SHARES else "{:+.2f}"
    mean = form.format(column[measure]["mean"])
    if column[measure]["interval"] is None:
        return mean
    low, high = map(form.format, column[measure]["interval"])
    return f"{mean} ({low} to {high})"


def _time(seconds: Mapping[str, float]) -> Iterator[str]:
    yield from ("", "Median seconds per picture: " + ", ".join(f"{m} {s:.2f}" for m, s in seconds.items()))
