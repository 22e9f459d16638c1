"""Reads what stands before a noun phrase and says how many are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .grammar_words import ARTICLES, COLLECTIVES, DEFINITE, FRAMES, POSSESSIVES
from .numbers import MAX_COUNT, YEARS, is_number, read_number
from .plurals import is_plural
from .word_kinds import is_adjective, is_boundary
from .words import Word

ALONE = frozenset("single lone lonely solitary sole solo".split())
_UNITS_AFTER = frozenset("year-old years-old % ' \" : / st nd rd th".split())


@dataclass(frozen=True)
class Quantity:
    """How many the words before a noun ask for.

    Attributes:
        count: the number, at least 1.
        stated: whether it was said ("two", "a single"), not only implied by "a".
        known: whether the things were mentioned before ("the two cats").
        after: index of the first word behind it.
    """

    count: int
    stated: bool
    known: bool
    after: int


def read_quantity(words: Sequence[Word], start: int) -> Quantity | None:
    """The quantity that begins at `words[start]`; None where there is none, or where it measures ("2 %", "in 1967")."""
    text = words[start].text
    if text in DEFINITE | POSSESSIVES:
        number = read_number(words, start + 1)
        if number is None or not 1 <= number[0] <= MAX_COUNT:
            return None
        return Quantity(number[0], True, text in DEFINITE, number[1])
    number = read_number(words, start)
    if number is not None:
        return _checked(words, start, *number)
    if text in ARTICLES or text == "another":
        following = words[start + 1].text if start + 1 < len(words) else ""
        if text in ARTICLES and following in ALONE:
            return Quantity(1, True, False, start + 2)
        if text in ARTICLES and following and is_number(following):  # "a three year old boy", "a 1967 roadster"
            measure = tuple(word.text for word in words[start + 2 : start + 4])
            return Quantity(1, False, False, start + 2 + 2 * (measure in {("year", "old"), ("years", "old")}))
        return Quantity(1, False, False, start + 1) if following and not is_boundary(following) else None
    if text in ALONE and (start == 0 or words[start - 1].is_punctuation or words[start - 1].text == "and"):
        return Quantity(1, True, False, start + 1)
    return None


def _checked(words: Sequence[Word], start: int, value: int, after: int) -> Quantity | None:
    digits = words[start].text[0].isdigit()
    if not 1 <= value <= MAX_COUNT or (digits and value in YEARS):
        return None
    if after >= len(words) or words[after].text in _UNITS_AFTER or words[after].text == "of":
        return None
    if start and words[start - 1].text in {
        "$",
        "#",
        "number",
        "no",
        "top",
        "route",
        "level",
        "version",
        "v",
        "f",
        "/",
        ":",
    }:
        return None
    if value == 1 and not digits and words[after].text in ALONE:
        after += 1
    return Quantity(value, True, False, after)


def skip_grouping(words: Sequence[Word], start: int) -> int:
    """Index behind "flock of" or "large set of" at `words[start]`; `start` itself where no such words stand."""
    return _skip_up_to(words, start, COLLECTIVES, frozenset({"of"}))


def skip_frame(words: Sequence[Word], start: int) -> int:
    """Index behind "photo of" or "oil painting showing" at `words[start]`; `start` itself where no such words stand."""
    return _skip_up_to(
        words, start, FRAMES, frozenset("of showing depicting featuring with containing shows depicts".split())
    )


def _skip_up_to(words: Sequence[Word], start: int, names: frozenset[str], links: frozenset[str]) -> int:
    for index in range(start, min(start + 5, len(words) - 1)):
        text = words[index].text
        if text in names and words[index + 1].text in links:
            return index + 2
        if is_boundary(text) and text not in {"and"}:
            break
        if names is COLLECTIVES and not is_adjective(text):
            break
    return start


def two_things_in_a_row(words: Sequence[Word], start: int) -> bool:
    """Whether the word at `start` begins a bare singular noun that shares the article before it ("a bride and groom")."""
    text = words[start].text
    return not (is_boundary(text) or is_number(text) or is_plural(text) or is_adjective(text))
