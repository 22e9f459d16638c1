"""Where nouns stand in a prompt, and the words around them that may describe them."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .languages.east_asian import has_east_asian
from .languages.english.word_kinds import is_adjective
from .languages.spaced import same_in
from .plurals import noun_key, same_noun
from .words import Span, Word


@dataclass(frozen=True)
class Occurrence:
    """One place where a noun stands.

    Attributes:
        span: characters of the prompt.
        text: the noun as it stands there, lower case.
        before: the words before it that may describe it.
        following: where the word right behind it ends; -1 where there is none.
    """

    span: Span
    text: str
    before: tuple[Word, ...] = ()
    following: int = -1


class NounPlaces:
    """Where nouns stand in the words of a prompt, without a look at every word for every noun."""

    def __init__(self, words: Sequence[Word], text: str = "", language: str = "en") -> None:
        self.words = words
        self._text = text.lower()
        self._language = language
        self._ends: dict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(words):
            for key in self._keys(word.text):
                self._ends[key].append(index)

    def has(self, span: Span) -> bool:
        """Whether whole words stand at `span`."""
        at = bisect_left(self.words, span[0], key=lambda word: word.start)
        return at < len(self.words) and self.words[at].start == span[0]

    def of(self, noun: Sequence[str]) -> list[Occurrence]:
        """Every place where `noun` stands, singular or plural; "beam" is also found in "steel-beams"."""
        if has_east_asian(noun[-1]) or _WITHOUT_SPACES.search(noun[-1]):
            return self._inside(" ".join(noun))
        found, before = [], list(noun[:-1])
        for last in dict.fromkeys(index for key in self._keys(noun[-1]) for index in self._ends.get(key, ())):
            first = last - len(before)
            is_here = first >= 0 and [word.text for word in self.words[first:last]] == before
            if is_here and self._is_same(self.words[last].text, noun[-1]):
                found.append(self._without_elision(self._occurrence(first, last), noun))
        return sorted(found, key=lambda place: place.span)

    def _without_elision(self, place: Occurrence, noun: Sequence[str]) -> Occurrence:
        """The place less an article that an apostrophe ties to it: "un'ape"."""
        before, mark, after = place.text.rpartition("'")
        if self._language == "en" or not mark or not self._is_same(after, " ".join(noun)):
            return place
        return replace(place, span=(place.span[0] + len(before) + 1, place.span[1]), text=after)

    def _occurrence(self, first: int, last: int) -> Occurrence:
        behind = self.words[last + 1] if last + 1 < len(self.words) else None
        following = -1 if behind is None or behind.is_punctuation else behind.end
        text = " ".join(word.text for word in self.words[first : last + 1])
        around = _describing(self.words, first) if self._language == "en" else self._around(first, last)
        return Occurrence((self.words[first].start, self.words[last].end), text, around, following)

    def _around(self, first: int, last: int) -> tuple[Word, ...]:
        """What may describe a noun where adjectives stand on either side of it."""
        return (*self.words[max(first - _DESCRIBING, 0) : first], *self.words[last + 1 : last + 1 + _DESCRIBING])

    def _inside(self, noun: str) -> list[Occurrence]:
        """Places of a noun in a script that writes no spaces between words, or ties particles to them."""
        starts = [found.start() for found in re.finditer(re.escape(noun), self._text)][:_MOST_PLACES]
        return [Occurrence((start, start + len(noun)), noun) for start in starts]

    def _keys(self, text: str) -> set[str]:
        parts = re.split("[-']", text)
        if self._language == "en":
            return {noun_key(text), *(noun_key(part) for part in parts if len(part) > 1)}
        return {part[:_KEY] for part in (text, *parts) if part}

    def _is_same(self, text: str, noun: str) -> bool:
        parts = [text, *(re.split("[-']", text) if "-" not in noun else [])]
        if self._language == "en":
            return any(same_noun(part, noun) for part in parts)
        return any(part == noun or same_in(self._language, part, noun) for part in parts)


_DESCRIBING = 3
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")  # Thai, Lao, Burmese, Khmer
_KEY = 3  # letters by which words are looked up that may have several endings
_MOST_PLACES = 1_000


def attribute_spans(places: Sequence[Occurrence], known: Sequence[Word]) -> tuple[tuple[Span, ...], ...]:
    """For each attribute, its own span and those before the other occurrences of the noun."""
    result = []
    for attribute in known:
        spans = {(attribute.start, attribute.end)}
        spans |= {(word.start, word.end) for place in places for word in place.before if word.text == attribute.text}
        result.append(tuple(sorted(spans)))
    return tuple(result)


def _describing(words: Sequence[Word], first: int) -> tuple[Word, ...]:
    """Adjectives right before the word at `first`, those joined by "and" or a comma included."""
    kept: list[Word] = []
    index = first - 1
    while index >= 0 and len(kept) < 6:
        joint = words[index].text in {"and", ",", "&"} and index > 0 and kept and is_adjective(words[index - 1].text)
        if not joint and not is_adjective(words[index].text):
            break
        if not joint:
            kept.append(words[index])
        index -= 1
    return tuple(reversed(kept))
