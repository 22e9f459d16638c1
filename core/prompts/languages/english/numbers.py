"""Numbers in English prose."""

from __future__ import annotations

import re
from collections.abc import Sequence

from ...plurals import is_plural, singular
from ...words import Word, phrase_end, text_at
from ..tables import phrases_of
from .vocabulary import BASE_VERBS, numbers_in, word_set

_PLAIN = numbers_in("plain_numbers")
_UNITS, _TENS = (
    {word: value for word, value in _PLAIN.items() if (value < 20) == is_unit} for is_unit in (True, False)
)
_SCALES = {"hundred": 100, "thousand": 1000}
_HALF_DOZEN, _AND_A_HALF = phrases_of("half a dozen | half dozen | half-dozen"), phrases_of("and a half")
_DOZENS = {"dozen": 12, "score": 20}
_SETS = numbers_in("sets")
_BEFORE_SETS = word_set("before_sets")
_BEGINNINGS = frozenset(_SETS) | frozenset(_DOZENS) | _BEFORE_SETS | {"a", "an", "half", "half-dozen"}
_DIGITS = re.compile(r"\d+|\d{1,3}(?:,\d{3})+")
_TIMES = re.compile(r"(\d+)x")
NUMBER_WORDS = frozenset(_PLAIN) | frozenset(_SCALES) | {"dozen"}
TWO_PART_THINGS = word_set("two_part_things")
YEARS = range(1500, 2100)
MAX_COUNT = 9_999
"""The highest number that is taken for a count; nobody asks for more things than this, but prompts hold longer numbers."""
_MAX_WORDS = 12  # of one number; "nine thousand nine hundred and ninety nine" has 7
_LONGEST = 9  # digits that are read; Python itself refuses those of more than 4,300


def is_number(word: str) -> bool:
    """Whether a lower-case word is a number on its own: "three", "twenty-five", "12"."""
    return bool(_DIGITS.fullmatch(word)) or all(part in NUMBER_WORDS for part in word.split("-"))


def read_number(words: Sequence[Word], start: int) -> tuple[int, int] | None:
    """The number that begins at `words[start]`, with dozens and sets such as "a pair of" and "two dozen".

    Args:
        words: words of a prompt.
        start: index of the number's first word; an "a" is part of it in "a dozen", not in "a cat".

    Returns:
        (value, index after the number), or None where no number begins. Values far above `MAX_COUNT` are not exact.
    """
    if not _can_begin(text_at(words, start)):
        return None
    article = text_at(words, start) in {"a", "an"}
    index = start + 1 if article else start
    if half := phrase_end(words, index, _HALF_DOZEN):
        return 6, half + (text_at(words, half) == "of")
    scale = text_at(words, index) in _SCALES
    value, after = (None, index) if article and not scale else _read_plain(words, index)
    if text_at(words, after) in _DOZENS and (text_at(words, after) == "dozen" or value is not None):
        value, after = (1 if value is None else value) * _DOZENS[text_at(words, after)], after + 1
        if with_half := phrase_end(words, after, _AND_A_HALF):
            value, after = value + 6, with_half
        after += text_at(words, after) == "of" and text_at(words, after + 1) not in {"the", "them", "these"}
    return _read_set(words, value, after, start) or (None if value is None else (value, after))


def _can_begin(text: str) -> bool:
    """Whether a number may begin with a word: most are none, and need no further look."""
    return text[:1].isdigit() or text in _BEGINNINGS or text.partition("-")[0] in NUMBER_WORDS


def _read_set(words: Sequence[Word], value: int | None, index: int, start: int) -> tuple[int, int] | None:
    """A set and its "of" ("pair of", "two pairs of"), after the number before it."""
    while index - start < 3 and text_at(words, index) in _BEFORE_SETS:
        index += 1
    size = _SETS.get(text_at(words, index))
    if text_at(words, index) == "couple" and _is_counted_bare(text_at(words, index + 1)):
        return 2, index + 1
    if size is None or text_at(words, index + 1) != "of" or text_at(words, index + 2) in {"the", "them", "these"}:
        return None
    if text_at(words, index) in {"pair", "pairs"}:
        size = 1 if any(word.text in TWO_PART_THINGS for word in words[index + 2 : index + 5]) else size
    return size * (1 if value is None else value), index + 2


def _is_counted_bare(text: str) -> bool:
    """Whether a word is what "a couple" counts without its "of": "a couple dogs", but not "a couple kisses"."""
    return is_plural(text) and singular(text) not in BASE_VERBS


def _read_plain(words: Sequence[Word], index: int) -> tuple[int | None, int]:
    """Digits or number words from `index`: (value or None, index after them)."""
    text = text_at(words, index)
    following = text_at(words, index + 1)
    if times := _TIMES.fullmatch(text):
        is_size = following.isdigit() and words[index].end == words[index + 1].start  # "3x3"
        return (None, index) if is_size else (_value_of(times.group(1)), index + 1)
    if _DIGITS.fullmatch(text):
        is_times = following in {"x", "×", "*"} and text_at(words, index + 2).isalpha()
        return _value_of(text.replace(",", "")), index + 1 + is_times
    total, current, first = 0, 0, index
    while index - first < _MAX_WORDS and (parts := _number_parts(words, index, first)):
        for part in parts:
            if part in _SCALES:
                current = min(max(current, 1) * _SCALES[part], 10**_LONGEST)
                total, current = (total + current, 0) if part == "thousand" else (total, current)
            else:
                current += _UNITS.get(part, 0) + _TENS.get(part, 0)
        index += 1 if text_at(words, index) != "and" else 2
    return (total + current, index) if index > first else (None, index)


def _value_of(digits: str) -> int:
    """The number that digits write; of very many digits one that is above every count."""
    return int(digits) if len(digits) <= _LONGEST else int(digits.lstrip("0")[: _LONGEST + 1] or "0")


def _number_parts(words: Sequence[Word], index: int, first: int) -> list[str]:
    """Number words at `index` that go on with the number begun at `first`; empty where it ends."""
    text, before = text_at(words, index), text_at(words, index - 1) if index > first else ""
    if text == "and" and before in _SCALES:
        text = text_at(words, index + 1)
        return text.split("-") if all(part in _UNITS or part in _TENS for part in text.split("-")) else []
    parts = text.split("-")
    if not all(part in _UNITS or part in _TENS or part in _SCALES for part in parts):
        return []
    if index == first:
        return parts
    continues = parts[0] in _SCALES or before in _SCALES or (before in _TENS and _UNITS.get(parts[0], 10) < 10)
    return parts if continues else []
