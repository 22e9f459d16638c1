"""The report of a store as Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from demo.quality import quality_table, summary

from ..lab.tables import table, with_interval
from .pictures import Store
from .prompts import SHAPES
from .results import MEASURES, SHARES, drawn_as_asked, figures, quality_of, sections

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
        rows: list[list[Any]] = [
            ["pictures", method, *(results["pictures"].get(column, 0) for column in [*numbers, "all"])]
            for method, results in methods.items()
        ]
        rows += [row for measure in MEASURES for row in _measure(measure, methods, columns)]
        yield from ("", f"### {name}", "")
        yield from table(["measure", "method", *(f"#{number}" for number in numbers), "average"], rows)


def _measure(measure: str, methods: Figures, columns: list[str]) -> Iterator[list[str]]:
    if measure == "others" and not any(results["means"]["average"][measure] for results in methods.values()):
        return
    form = ".1%" if measure in SHARES else ".2f"
    for method, results in methods.items():
        means = (results["means"].get(column) for column in columns)
        yield [measure, method, *("-" if mean is None else format(mean[measure], form) for mean in means)]
    first = next(iter(methods))
    for method, results in methods.items():
        if results["differences"]:
            changes = (results["differences"].get(column) for column in columns)
            cells = ("-" if one is None else with_interval(f"+{form}", **one[measure]) for one in changes)
            yield [measure, f"{method} - {first}", *cells]


def _time(seconds: Mapping[str, float]) -> Iterator[str]:
    yield from ("", "Median seconds per picture: " + ", ".join(f"{m} {s:.2f}" for m, s in seconds.items()))
