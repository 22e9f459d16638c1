"""Counted objects in words."""

from __future__ import annotations

from collections.abc import Sequence

from .counts import CountedObject, Counts
from .numbers import TWO_PART_THINGS
from .plurals import singular

MAX_THINGS = 8  # in all; what ISAC and NUMINA are made for
_HOW_TO_COUNT = "nothing is counted: write a number, such as 'three cats', or fill *objects*"


def describe_objects(objects: Sequence[CountedObject]) -> str:
    """One line a person can check: "3 red circles, 2 stars"; "nothing is counted" where there are no objects."""
    lines = [" ".join((str(item.count), *item.attributes, _noun_of(item))) for item in objects]
    return ", ".join(lines) or "nothing is counted"


def line_of(item: CountedObject) -> str:
    """The noun as an objects line would write it beside its count."""
    return " ".join((*item.attributes, item.noun)) if item.noun.isascii() else item.noun


def _noun_of(item: CountedObject) -> str:
    """ "star" for one of "stars", whatever the prompt's own form is."""
    return singular(item.noun) if item.count == 1 and item.noun not in TWO_PART_THINGS else item.noun


def summary_of(counts: Counts) -> str:
    """What is counted, as `describe_objects` says it, and what a person should know about it, a line each."""
    lines = [describe_objects(counts.objects) if counts.objects else _HOW_TO_COUNT]
    remark = too_many(counts.total)
    return "\n".join([*lines, *counts.notes, *([remark] if remark else [])])


def too_many(total: int) -> str:
    """What to say where more things are asked for than `MAX_THINGS`; else empty."""
    if total <= MAX_THINGS:
        return ""
    return f"{total} things are asked for; made for up to {MAX_THINGS}, the picture may get worse"
