"""Ranges, bounds and vague words before a noun: they are said, and count nothing."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ...notes import Kind, Note
from ...plurals import is_plural, plural
from ...words import Word, text_at
from .noun_phrase import NounPhrase, read_noun_phrase
from .numbers import MAX_COUNT, read_number


def _by_first_word(*phrases: str) -> dict[str, list[tuple[str, ...]]]:
    table: dict[str, list[tuple[str, ...]]] = {}
    for phrase in phrases:
        table.setdefault(phrase.split()[0], []).append(tuple(phrase.split()))
    return table


_BOUNDS = _by_first_word(
    *(
        "at least", "at most", "no more than", "not more than", "no fewer than", "no less than", "more than", "less than",
        "fewer than", "up to", "a minimum of", "a maximum of", "minimum of", "maximum of", "as many as",
        "> =", "< =", ">", "≥", "≤",
    )
)  # fmt: skip
_VAGUE = _by_first_word(
    *(
        "a few", "few", "several", "many", "multiple", "numerous", "a handful of", "a lot of", "lots of", "plenty of",
        "dozens of", "hundreds of", "thousands of", "a number of", "a couple hundred", "tens of",
        "scores of", "a bunch of", "bunches of", "loads of", "tons of", "various", "countless", "innumerable",
    )
)  # fmt: skip
_SHAFTS = frozenset("-=–—~>")  # with ">" behind it an arrow: "->", "=>"
_BEFORE_A_BOUND = frozenset([",", ";", ".", "(", "with", "of", "and", "has", "holding", "from", "in", "by", "to", "\n"])
_JOINTS = frozenset(["-", "–", "—", "~", "to", "or"])
_ARTICLES = frozenset(["a", "an"])
_OR_SO = frozenset(["more", "so", "fewer", "less"])
_UNITS = frozenset("year years month months week weeks day days hour hours minute minutes second seconds".split())


@dataclass(frozen=True)
class Uncounted:
    """What was said, and where the phrase ends."""

    note: Note | None
    after: int


def read_uncounted(words: Sequence[Word], start: int) -> Uncounted | None:
    """A range, bound or vague word with its noun at `words[start]`; None where there is none.

    The note is None where no plural noun follows, so that nothing was to be counted: "5 to 7 pm", "many a time".
    """
    opening = 0 if _is_arrow(words, start) else _begins(words, start, _BOUNDS)
    if opening and (number := read_number(words, opening)):
        return _said(words, start, number[1], Kind.BOUND, number[0])
    is_opening = start == 0 or words[start - 1].text in _BEFORE_A_BOUND
    if words[start].text in {"over", "under"} and is_opening and (number := read_number(words, start + 1)):
        is_a_pair = words[start + 1].text in _ARTICLES and number[0] != 12  # "over a pair of", but "over a dozen"
        return None if is_a_pair else _said(words, start, number[1], Kind.BOUND, number[0])
    if opening := _begins(words, start, _VAGUE):
        return None if read_number(words, opening) else _said(words, start, opening, Kind.VAGUE, 3)
    first = read_number(words, start)
    if first is None or first[1] >= len(words) or words[start].text in _ARTICLES:
        return None
    return _range(words, start, *first)


def _is_arrow(words: Sequence[Word], start: int) -> bool:
    """Whether a ">" at `words[start]` is the head of an arrow."""
    if not start or words[start].text != ">":
        return False
    return words[start - 1].text in _SHAFTS and words[start - 1].end == words[start].start


def _range(words: Sequence[Word], start: int, low: int, after: int) -> Uncounted | None:
    joint = words[after].text
    if joint in _JOINTS and after + 1 < len(words):
        if joint == "or" and words[after + 1].text in _OR_SO:
            return _said(words, start, after + 2, Kind.BOUND, low)
        second = read_number(words, after + 1)
        return _said(words, start, second[1], Kind.RANGE, second[0]) if second else None
    if joint == "by" and (second := read_number(words, after + 1)):
        return Uncounted(None, second[1])  # "a 2 by 2 grid"
    if joint == "out" and text_at(words, after + 1) == "of" and (second := read_number(words, after + 2)):
        return Uncounted(None, read_noun_phrase(words, second[1], True).after)  # "nine out of ten umbrellas"
    if joint == "+":
        return _said(words, start, after + 1, Kind.BOUND, low)
    if joint == "and" and words[start - 1].text == "between" and (second := read_number(words, after + 1)):
        return _said(words, start - 1, second[1], Kind.RANGE, second[0])
    return None


def _said(words: Sequence[Word], start: int, after: int, kind: Kind, count: int) -> Uncounted | None:
    phrase = read_noun_phrase(words, after, True)
    if not is_counted_noun(phrase):
        return Uncounted(None, max(after, phrase.after if phrase.noun else after)) if kind is Kind.RANGE else None
    noun = " ".join(word.text for word in (*phrase.attributes, *phrase.noun))
    said = said_of(words, start, phrase.after)
    return Uncounted(Note(kind, said, f"{written(count)} {noun}"), phrase.after)


def is_counted_noun(phrase: NounPhrase) -> bool:
    """Whether a phrase names several things."""
    return bool(phrase.noun) and is_plural(phrase.noun[-1].text) and phrase.noun[-1].text not in _UNITS


def said_of(words: Sequence[Word], start: int, after: int) -> str:
    """The words from `start` to before `after` as they stand, but for their spaces."""
    parts = [words[start].text]
    for before, word in zip(words[start:], words[start + 1 : after], strict=False):
        parts.append(word.text if before.end == word.start else f" {word.text}")
    return "".join(parts)


def written(count: int) -> str:
    """A number as a sentence writes it."""
    small = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten")
    return small[count] if count < len(small) else str(min(count, MAX_COUNT))


def plural_of(phrase: NounPhrase) -> str:
    """A phrase with its noun in the plural."""
    return plural(" ".join(word.text for word in (*phrase.attributes, *phrase.noun)))


def _begins(words: Sequence[Word], start: int, phrases: Mapping[str, Sequence[tuple[str, ...]]]) -> int:
    """Index behind the first of the phrases that stands at `words[start]`; 0 where none does."""
    for phrase in phrases.get(words[start].text, ()):
        end = start + len(phrase)
        if end < len(words) and all(words[start + at].text == part for at, part in enumerate(phrase)):
            return end
    return 0
