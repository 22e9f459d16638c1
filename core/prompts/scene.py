"""A prompt without its counted objects, or with a single one of them: what a part of the picture is painted from."""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from .counts import CountedObject
from .languages.english.numbers import read_number
from .languages.english.vocabulary import (
    ARTICLES,
    COLLECTIVES,
    CONJUNCTIONS,
    DEFINITE,
    POSSESSIVES,
    PREPOSITIONS,
    QUANTIFIERS,
)
from .places import NounPlaces
from .plurals import same_noun, singular
from .words import Span, Word, split_words

_LONGEST_NUMBER = 6  # words before a noun that may be its number: "a group of twenty five"
_BEFORE = ARTICLES | DEFINITE | POSSESSIVES | QUANTIFIERS | COLLECTIVES | {"of"}
_LINKS = CONJUNCTIONS | PREPOSITIONS | {",", "together", "next", "front", "well"}
_VOWELS = "aeiou"


@dataclass(frozen=True)
class _Phrase:
    """Indices `first` to `last` of the words of an object, its number and adjectives included."""

    first: int
    last: int
    noun: str


def scene_text(text: str, objects: Sequence[CountedObject], only: CountedObject | None = None) -> str:
    """The prompt with one of its objects, once and alone: "a cat on a sofa" of "two cats and a dog on a sofa".

    Args:
        text: the prompt without weight syntax.
        objects: everything that is cut out of it.
        only: the one that stays; None leaves what is around the objects, "on a sofa".
    """
    words = split_words(text)
    phrases = _phrases(words, objects)
    here = next((one for one in phrases if only is not None and same_noun(one.noun, only.noun)), None)
    name = "" if only is None else _single(only)
    kept = [True] * len(words)
    for phrase in phrases:
        if phrase is not here:
            _cut(words, kept, phrase)
    pieces, end = [], 0
    for index, word in enumerate(words):
        if here is not None and here.first <= index <= here.last:
            pieces += [text[end : word.start], name] if index == here.first else []
        elif kept[index]:
            pieces.append(text[end : word.end])
        end = word.end
    scene = _tidy("".join([*pieces, text[end:]]))
    return scene if here is not None or not name else _tidy(f"{name}, {scene}")


def _phrases(words: Sequence[Word], objects: Sequence[CountedObject]) -> list[_Phrase]:
    """Where the prompt names the objects, in its order; a longer noun goes before one that is a part of it."""
    places = NounPlaces(words)
    found: list[_Phrase] = []
    for noun in sorted({item.noun for item in objects}, key=lambda noun: -len(noun.split())):
        for place in places.of(noun.split()):
            first, last = _words_at(words, place.span)
            if not any(one.first <= last and first <= one.last for one in found):
                found.append(_Phrase(_start(words, first, place.before), last, noun))
    return sorted(found, key=lambda one: one.first)


def _words_at(words: Sequence[Word], span: Span) -> tuple[int, int]:
    """Indices of the first and the last word that characters of a prompt touch."""
    first = bisect_right(words, span[0], key=lambda word: word.end)
    return first, max(first, bisect_left(words, span[1], key=lambda word: word.start) - 1)


def _start(words: Sequence[Word], first: int, describing: Sequence[Word]) -> int:
    """Index of the first word that belongs to an object whose noun begins at `first`: its number, article or adjective."""
    while first and any(word.start == words[first - 1].start for word in describing):
        first -= 1
    for start in range(max(0, first - _LONGEST_NUMBER), first):
        number = read_number(words, start)
        if number is not None and number[1] == first:
            first = start
            break
    while first and words[first - 1].text in _BEFORE and not _is_frame(words, first - 1):
        first -= 1
    return first


def _is_frame(words: Sequence[Word], index: int) -> bool:
    """Whether the word is the "of" of "a photo of", which groups nothing."""
    return words[index].text == "of" and (not index or words[index - 1].text not in COLLECTIVES)


def _cut(words: Sequence[Word], kept: list[bool], phrase: _Phrase) -> None:
    """Drop a phrase and what links it: the conjunction or comma behind it, or else the links before it."""
    for index in range(phrase.first, phrase.last + 1):
        kept[index] = False
    after = phrase.last + 1
    behind = after
    while behind < len(words) and words[behind].text in CONJUNCTIONS | {","}:
        kept[behind] = False
        behind += 1
    before = phrase.first - 1
    while behind == after and before >= 0 and (words[before].text in _LINKS or not kept[before]):
        kept[before] = False
        before -= 1


def _single(item: CountedObject) -> str:
    """ "an orange cat"."""
    name = " ".join((*item.attributes, singular(item.noun)))
    return f"{'an' if name[0] in _VOWELS else 'a'} {name}"


def _tidy(text: str) -> str:
    """Without doubled spaces, and without commas that separate nothing."""
    spaced = re.sub(r"\s+", " ", text)
    return re.sub(r"(?:\s*,)+", ",", re.sub(r"\s+([,.;:])", r"\1", spaced)).strip(" ,;")
