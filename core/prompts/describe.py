"""Counted objects in words."""

from __future__ import annotations

from collections.abc import Sequence

from .counts import CountedObject, Counts
from .languages.east_asian import has_east_asian
from .languages.english.numbers import TWO_PART_THINGS
from .objects import FoundObject
from .plurals import singular

MAX_THINGS = 8  # in all; what ISAC and NUMINA are made for
_HOW_TO_COUNT = "nothing is counted: write a number, such as 'three cats', or fill in objects"


def describe_objects(objects: Sequence[CountedObject], prompt: str = "") -> str:
    """One line a person can check: "3 red circles, 2 stars"; "nothing is counted" where there are no objects.

    Args:
        prompt: where the adjectives stand before or behind their noun, as in "3 chats noirs"; without it they go before.
    """
    lines, text = [], prompt.lower()
    for item in objects:
        behind = [name for name in item.attributes if f"{item.noun} {name}" in text]
        before = [name for name in item.attributes if name not in behind]
        lines.append(" ".join((str(item.count), *before, _noun_of(item), *behind)))
    return ", ".join(lines) or "nothing is counted"


def shown_of(found: FoundObject) -> str:
    """Count, noun and adjectives in the order of the prompt: "3 red cats", "3 chats noirs"."""
    item = found.item
    return f"{item.count} {_in_order(found, _noun_of(item))}"


def line_of(found: FoundObject) -> str:
    """The noun with its adjectives as an objects line would write them beside its count."""
    return found.item.noun if has_east_asian(found.item.noun) else _in_order(found, found.item.noun)


def _in_order(found: FoundObject, noun: str) -> str:
    start = found.nouns[0][0]
    places = [
        (min(spans, key=lambda span: abs(span[0] - start)), name)
        for spans, name in zip(found.attributes, found.item.attributes, strict=True)
    ]
    return " ".join(name for _, name in sorted([*places, (found.nouns[0], noun)]))


def _noun_of(item: CountedObject) -> str:
    """ "star" for one of "stars", whatever the prompt's own form is."""
    is_one = item.count == 1 and item.noun.rpartition(" ")[2] not in TWO_PART_THINGS
    return singular(item.noun) if is_one else item.noun


def summary_of(counts: Counts) -> str:
    """What is counted, as `describe_objects` says it, and what a person should know about it, a line each."""
    lines = [describe_objects(counts.objects, counts.prompt) if counts.objects else _HOW_TO_COUNT]
    remark = too_many(counts.total)
    return "\n".join([*lines, *counts.notes, *([remark] if remark else [])])


def too_many(total: int) -> str:
    """What to say where more things are asked for than `MAX_THINGS`; else empty."""
    if total <= MAX_THINGS:
        return ""
    return (
        f"{total} objects are asked for; the methods are designed for up to {MAX_THINGS}, so fewer images will be right"
    )
