"""Ranges, bounds and vague words before a noun: they are said, and count nothing."""

from __future__ import annotations

from collections.abc import Sequence

from ...notes import Kind, Note
from ...plurals import is_plural, plural
from ...words import Word, phrase_end, said_of, text_at
from .noun_phrase import NounPhrase, read_noun_phrase
from .numbers import MAX_COUNT, read_number
from .vocabulary import ARTICLES, phrase_set, word_set

_BOUNDS = phrase_set("bounds")
_VAGUE = phrase_set("vague")
_SHAFTS = frozenset("-=–—~>")  # with ">" behind it an arrow: "->", "=>"
_BEFORE_A_BOUND = word_set("before_bounds")
_JOINTS = frozenset(["-", "–", "—", "~", "to", "or"])
_OR_SO = frozenset(["more", "so", "fewer", "less"])
_NOTHING = (None, 0)
_UNITS = word_set("spans_of_time")


def read_uncounted(words: Sequence[Word], start: int) -> tuple[Note | None, int]:
    """What a range, bound or vague word at `words[start]` says of its noun, and the index behind it; 0 where there is none.

    The note is None where no plural noun follows, so that nothing was to be counted: "5 to 7 pm", "many a time".
    """
    opening = 0 if _is_arrow(words, start) else phrase_end(words, start, _BOUNDS)
    if opening and (number := read_number(words, opening)):
        return _said(words, start, number[1], Kind.BOUND, number[0])
    is_opening = start == 0 or words[start - 1].is_punctuation or words[start - 1].text in _BEFORE_A_BOUND
    if words[start].text in {"over", "under"} and is_opening and (number := read_number(words, start + 1)):
        is_a_pair = words[start + 1].text in ARTICLES and number[0] != 12  # "over a pair of", but "over a dozen"
        return _NOTHING if is_a_pair else _said(words, start, number[1], Kind.BOUND, number[0])
    if opening := phrase_end(words, start, _VAGUE):
        return _NOTHING if read_number(words, opening) else _said(words, start, opening, Kind.VAGUE, 3)
    first = read_number(words, start)
    if first is None or first[1] >= len(words) or words[start].text in ARTICLES:
        return _NOTHING
    return _range(words, start, *first)


def _is_arrow(words: Sequence[Word], start: int) -> bool:
    """Whether a ">" at `words[start]` is the head of an arrow."""
    if start == 0 or words[start].text != ">":
        return False
    return words[start - 1].text in _SHAFTS and words[start - 1].end == words[start].start


def _range(words: Sequence[Word], start: int, low: int, after: int) -> tuple[Note | None, int]:
    joint = words[after].text
    if joint in _JOINTS and after + 1 < len(words):
        if joint == "or" and words[after + 1].text in _OR_SO:
            return _said(words, start, after + 2, Kind.BOUND, low)
        second = read_number(words, after + 1)
        return _said(words, start, second[1], Kind.RANGE, second[0]) if second else _NOTHING
    if joint == "by" and (second := read_number(words, after + 1)):
        return (None, second[1])  # "a 2 by 2 grid"
    if joint == "out" and text_at(words, after + 1) == "of" and (second := read_number(words, after + 2)):
        return (None, read_noun_phrase(words, second[1], True).after)  # "nine out of ten umbrellas"
    if joint == "+":
        return _said(words, start, after + 1, Kind.BOUND, low)
    if joint == "and" and text_at(words, start - 1) == "between" and (second := read_number(words, after + 1)):
        return _said(words, start - 1, second[1], Kind.RANGE, second[0])
    return _NOTHING


def _said(words: Sequence[Word], start: int, after: int, kind: Kind, count: int) -> tuple[Note | None, int]:
    phrase = read_noun_phrase(words, after, True)
    if not is_counted_noun(phrase):
        return (None, max(after, phrase.after if phrase.noun else after)) if kind is Kind.RANGE else _NOTHING
    return (Note(kind, said_of(words, start, phrase.after), f"{written(count)} {phrase.text}"), phrase.after)


def is_counted_noun(phrase: NounPhrase) -> bool:
    """Whether a phrase names several things."""
    return bool(phrase.noun) and is_plural(phrase.head) and phrase.head not in _UNITS


def written(count: int) -> str:
    """A number as a sentence writes it."""
    small = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return small[count] if count < len(small) else str(min(count, MAX_COUNT))


def plural_of(phrase: NounPhrase) -> str:
    """A phrase with its noun in the plural."""
    return plural(phrase.text)
