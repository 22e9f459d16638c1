"""Reads what stands before a noun phrase and says how many are asked for."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ...plurals import is_plural
from ...words import Word, text_at
from . import vocabulary
from .numbers import MAX_COUNT, YEARS, is_number, read_number
from .word_kinds import is_boundary

ALONE = vocabulary.word_set("alone")
PARAMETERS = vocabulary.word_set("parameters")
_NO_COUNT_BEFORE = vocabulary.word_set("no_count_before")
_SHOWING = vocabulary.word_set("behind_frames")
_OF = frozenset(["of"])
_SIZE = re.compile(r"\d+x")  # of "4x4"
_AGES = vocabulary.word_set("behind_measures")
_NOT_BEFORE_A_COUNT = vocabulary.word_set("no_count_behind")


@dataclass(frozen=True)
class Quantity:
    """How many the words before a noun ask for.

    Attributes:
        count: the number, at least 1.
        stated: whether it was said ("two", "a single"), not only implied by "a".
        known: whether the things were mentioned before ("the two cats").
        after: index of the first word behind it.
        is_tag: whether it is written in one word with its noun ("2girls"); such tags repeat, and do not add up.
        is_further: whether it adds to things mentioned before ("another two", "two more").
    """

    count: int
    stated: bool
    known: bool
    after: int
    is_tag: bool = False
    is_further: bool = False


def read_quantity(words: Sequence[Word], start: int) -> Quantity | None:
    """The quantity that begins at `words[start]`; None where there is none, or where it measures ("2 %", "in 1967")."""
    text = words[start].text
    if text in vocabulary.DETERMINERS:
        number = read_number(words, start + 1)
        if number is None or not 1 <= number[0] <= MAX_COUNT:
            return None
        known = text in vocabulary.DEFINITE
        is_further = not known and _is_further(words, number[1])
        return Quantity(number[0], True, known, skip_measure(words, number[1]), is_further=is_further)
    number = read_number(words, start)
    if number is not None:
        return _checked(words, start, *number)
    following = words[start + 1].text if start + 1 < len(words) else ""
    if text == "another" and is_number(following):
        more = read_quantity(words, start + 1)
        return more and replace(more, is_further=True)
    if text in vocabulary.ARTICLES or text == "another":
        if text in vocabulary.ARTICLES and following in ALONE:
            return Quantity(1, True, False, start + 2)
        if not following or (is_boundary(following) and not is_number(following)):
            return None
        return Quantity(1, False, False, skip_measure(words, start + 1), is_further=text == "another")
    if text == "both" and following and not is_boundary(following):
        return Quantity(2, True, False, start + 1)
    if text in ALONE and (start == 0 or words[start - 1].is_punctuation or words[start - 1].text == "and"):
        return Quantity(1, True, False, start + 1)
    return None


def skip_measure(words: Sequence[Word], start: int) -> int:
    """Index behind a measure at `words[start]`: "3 year old", "12 inch", "1967"; `start` itself where there is none."""
    if start + 1 < len(words) and _SIZE.fullmatch(words[start].text) and words[start + 1].text.isdigit():
        return start + 2
    number = read_number(words, start)
    if number is None or words[start].text in vocabulary.ARTICLES:
        return start
    unit = number[1]
    if unit >= len(words) or is_boundary(words[unit].text):
        return start
    digits = words[start].text[0].isdigit()
    if not digits and is_plural(words[unit].text):
        return start  # "at the next one four friends"
    if digits and number[0] in YEARS and not is_unit(words[unit].text):
        return unit
    after = unit + 1
    if after < len(words) and words[after].text in _AGES:
        return after + 1
    is_before_a_noun = after < len(words) and not is_boundary(words[after].text)
    return after if is_before_a_noun and not is_plural(words[unit].text) else unit


def is_unit(text: str) -> bool:
    """Whether a word is a measure's own: "mm", "year"."""
    return text in _UNITS


_UNITS = vocabulary.word_set("units")


def _checked(words: Sequence[Word], start: int, value: int, after: int) -> Quantity | None:
    digits = words[start].text[0].isdigit()
    if not 1 <= value <= MAX_COUNT or (words[start].text.isdigit() and value in YEARS):
        return None
    if after >= len(words) or words[after].text in _NO_COUNT_BEFORE:
        return None
    if start and (words[start - 1].text in _NOT_BEFORE_A_COUNT or _is_a_fraction(words, start)):
        return None
    if digits and (_is_a_name(words, start, after) or _is_a_parameter(words, after)):
        return None
    if value == 1 and not digits and words[after].text in ALONE:
        after += 1
    is_tag = after == start + 1 and words[start].end == words[after].start and words[after].text[0].isalpha()
    behind = after if is_tag else skip_measure(words, after)
    return Quantity(value, True, False, behind, is_tag, _is_further(words, after))


def _is_further(words: Sequence[Word], after: int) -> bool:
    """Whether the word behind a number says that it adds to what was mentioned before: "two more"."""
    return after < len(words) and words[after].text in vocabulary.FURTHER


def _is_a_fraction(words: Sequence[Word], start: int) -> bool:
    """Whether the number behind a slash belongs to what is before it: "f/8", "1/250", but not "two cats/one dog"."""
    return words[start - 1].text == "/" and (
        start < 2
        or (len(words[start - 2].text) < 2 and words[start - 2].text != "w")
        or is_number(words[start - 2].text)
    )


def _is_a_parameter(words: Sequence[Word], after: int) -> bool:
    """Whether digits stand before a sampler's unit alone: "81 frames, 30 steps"."""
    following = text_at(words, after + 1)
    is_alone = not following or (is_boundary(following) and following not in _SHOWING)
    return is_alone and words[after].text in PARAMETERS


def _is_a_name(words: Sequence[Word], start: int, after: int) -> bool:
    """Whether digits end a name: "Apollo 11 astronauts", "episode 4"."""
    if not start:
        return False
    before = words[start - 1]
    if before.text in vocabulary.NAMED_BY_NUMBER:
        return True
    begins = start == 1 or words[start - 2].is_punctuation
    return before.capital and not begins and not is_boundary(before.text) and not words[after].capital


def skip_grouping(words: Sequence[Word], start: int) -> int:
    """Index behind "flock of" or "large set of" at `words[start]`; `start` itself where no such words stand."""
    return _skip_up_to(words, start, vocabulary.COLLECTIVES, _OF)


def skip_frame(words: Sequence[Word], start: int) -> int:
    """Index behind "photo of" or "oil painting showing" at `words[start]`; `start` itself where no such words stand."""
    return _skip_up_to(words, start, vocabulary.FRAMES, _SHOWING)


def _skip_up_to(words: Sequence[Word], start: int, names: frozenset[str], links: frozenset[str]) -> int:
    for index in range(start, min(start + 5, len(words) - 1)):
        text = words[index].text
        if text in names and words[index + 1].text in links:
            return index + 2
        if is_boundary(text) and text not in {"and"}:
            break
    return start
