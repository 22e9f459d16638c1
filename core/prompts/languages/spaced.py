"""Reads counted nouns in languages that write spaces, by their `grammar`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

from ..mentions import Mention, Reading
from ..notes import Kind, Note
from ..words import Word, phrase_end, said_of, text_at
from .english.numbers import MAX_COUNT, YEARS
from .grammar import Grammar, grammar_of

_MOST_ADJECTIVES = 4
_LONGEST = 4  # words of a phrase of the tables that leads to another noun, such as "neben dem"
_SHORTEST_STEM = 3
_ENDING = 3  # letters of an adjective's ending


def read_spaced(words: Sequence[Word], language: str) -> Reading:
    """Counted nouns of `words`, and what they say of numbers without asking for a count."""
    return _SpacedReader(words, grammar_of(language)).read()


def read_item(words: Sequence[Word], language: str) -> tuple[Mention | None, int]:
    """The first counted noun of an item of a list, whatever its part in a sentence would be, and how many words it takes.

    Returns:
        None where there is no number or no noun, with the number of words that were read.
    """
    reader = _SpacedReader(words, grammar_of(language))
    after = reader.step(0)
    return (reader.mentions[0] if reader.mentions else None), after


def same_in(language: str, one: str, other: str) -> bool:
    """Whether two lower-case words are forms of one noun."""
    ends = (*grammar_of(language).endings, "")
    stems = [{word[: len(word) - len(end)] for end in ends if word.endswith(end)} for word in (one, other)]
    return any(len(stem) >= _SHORTEST_STEM for stem in stems[0] & stems[1])


def _without_elisions(words: Sequence[Word], grammar: Grammar) -> list[Word]:
    """Words less what an apostrophe ties to them: "un'ape" are two."""
    split: list[Word] = []
    for word in words:
        before, mark, after = word.text.partition("'")
        if mark and after and before in grammar.elided and word.end - word.start == len(word.text):
            at = word.start + len(before) + 1
            split += [replace(word, text=before, end=at), replace(word, text=after, start=at, capital=False)]
        else:
            split.append(word)
    return split


class _SpacedReader:
    def __init__(self, words: Sequence[Word], grammar: Grammar) -> None:
        self.words = _without_elisions(words, grammar)
        self.grammar = grammar
        self.mentions: list[Mention] = []
        self.notes: list[Note] = []
        self.writes_capitals = grammar.capitals and any(word.capital for word in words[1:])
        self.counted_before = True  # whether the noun before a conjunction was counted

    def read(self) -> Reading:
        index = 0
        while index < len(self.words):
            index = max(self.step(index), index + 1)
        return Reading(self.mentions, self.notes)

    def _text(self, index: int) -> str:
        return text_at(self.words, index)

    def step(self, index: int) -> int:
        """Read what stands at `index`. Returns the index behind it."""
        for phrases, kind in ((self.grammar.vague, Kind.VAGUE), (self.grammar.bounds, Kind.BOUND)):
            if after := phrase_end(self.words, index, phrases):
                is_couple = self.words[index + 1].capital if self.grammar.capitals and after == index + 2 else False
                if not is_couple and (read := self._said(index, after, kind)):
                    return read
        if self._text(index) in self.grammar.negations and (read := self._said(index, index + 1, Kind.NONE)):
            return read
        number = self._number(index)
        if number is None:
            return self._read_one(index)
        value, after = number
        if self._text(after) in self.grammar.ranges and (second := self._number(after + 1)):
            return self._said(index, second[1], Kind.RANGE) or second[1]
        if not 1 <= value <= MAX_COUNT or (self._text(index).isdigit() and value in YEARS):
            return after
        return self._read_noun(index, value, after, True)

    def _number(self, index: int) -> tuple[int, int] | None:
        text = self._text(index)
        if text.isdecimal() and len(text) <= 5:
            return int(text), index + 1
        value = 1 if text in self.grammar.ones else self.grammar.numbers.get(text)
        if value is None:
            return None
        if value >= 20 and value % 10 == 0:
            joint = index + 1 + (bool(self.grammar.joint) and self._text(index + 1) == self.grammar.joint)
            low = (
                1
                if self._text(joint) in self.grammar.ones | self.grammar.articles
                else self.grammar.numbers.get(self._text(joint), 0)
            )
            is_one = self._text(joint) in self.grammar.articles and joint == index + 1
            if 0 < low < 10 and not is_one:
                return value + low, joint + 1
        return value, index + 1

    def _read_one(self, index: int) -> int:
        """An article with its noun, a set ("a dozen roses") or a couple."""
        if self._text(index) in self.grammar.articles:
            return self._read_noun(index, 1, index + 1, False)
        if self._text(index) in self.grammar.sets and self._text(index + 1):
            return self._read_noun(index, 1, index, False)
        return index + 1

    def _read_noun(self, start: int, value: int, after: int, stated: bool) -> int:
        head, attributes = self._head(self._behind_measure(start, after))
        if head < 0:
            return after
        text = self._text(head)
        if text in self.grammar.sets and (linked := self._linked(head)) >= 0:
            return self._read_noun(start, value * self.grammar.sets[text], linked, True)
        if text in self.grammar.not_things:
            self.counted_before = False
            return head + 1
        following = head + 1
        if self._is_group(text, following) and not stated:
            return following + 1
        plays_a_part = stated or self._plays_a_part(start)
        is_frame = not stated and text in self.grammar.frames | self.grammar.scenes
        self.counted_before = plays_a_part and not is_frame
        if self.counted_before:
            behind = self._behind(following)
            count = value * (2 if text in self.grammar.couples else 1)
            self.mentions.append(Mention(count, (self.words[head],), (*attributes, *behind)))
            return following + len(behind)
        return following + (self._text(following) in self.grammar.links if is_frame else 0)

    def _behind_measure(self, start: int, after: int) -> int:
        """Past "5 Meter" behind an article: "ein 5 Meter hoher Turm"."""
        number = self._number(after)
        if re.match(r"\d+-", self._text(after)):  # "30-jährige"
            return after + 1
        is_measure = number is not None and self._text(number[1]) in self.grammar.not_things
        return number[1] + 1 if is_measure and number is not None else after

    def _head(self, index: int) -> tuple[int, tuple[Word, ...]]:
        """Index of the noun behind the adjectives at `index`, and these; -1 where there is no noun."""
        attributes: list[Word] = []
        while len(attributes) <= _MOST_ADJECTIVES and self._can_be_noun(index):
            if not self._is_adjective(index):
                is_noun = self.words[index].capital or not self.writes_capitals
                return (index, tuple(attributes)) if is_noun else (-1, ())
            attributes.append(self.words[index])
            index += 1
        return (index - 1, tuple(attributes[:-1])) if attributes else (-1, ())

    def _can_be_noun(self, index: int) -> bool:
        text = self._text(index)
        is_other = text in self.grammar.stops or text in self.grammar.numbers or text in self.grammar.articles
        return text[:1].isalpha() and not is_other

    def _is_adjective(self, index: int) -> bool:
        text = self._text(index)
        if not self._can_be_noun(index + 1) or text in self.grammar.nouns_like_adjectives:
            return False
        if self.grammar.capitals and self.words[index].capital:
            return False
        if self.grammar.capitals and any(word.capital for word in self.words[index + 1 : index + 1 + _MOST_ADJECTIVES]):
            return True
        begins = any(text.startswith(stem) and len(text) <= len(stem) + _ENDING for stem in self.grammar.before)
        ends = bool(self.grammar.before_ends) and text.endswith(tuple(self.grammar.before_ends))
        return (begins and not self._is_verb(index + 1)) or (ends and len(text) > _ENDING)

    def _behind(self, index: int) -> tuple[Word, ...]:
        """The adjective behind a noun, where it tells objects apart."""
        tells = bool(self.grammar.behind) and self._text(index).startswith(tuple(self.grammar.behind))
        return (self.words[index],) if tells else ()

    def _linked(self, head: int) -> int:
        """Index of the noun behind a set and its "of"; -1 where no noun follows, as behind "ein Paar küsst sich"."""
        index = head + 1 + (self._text(head + 1) in self.grammar.links)
        if self._text(head) in self.grammar.couples and self._can_be_noun(index):
            is_noun = self.words[index].capital if self.grammar.capitals else index > head + 1
        else:
            is_noun = self._can_be_noun(index)
        return index if is_noun and not self._is_verb(index) else -1

    def _is_verb(self, index: int) -> bool:
        return bool(self.grammar.verb_ends) and self._text(index).endswith(self.grammar.verb_ends)

    def _is_group(self, text: str, following: int) -> bool:
        """Whether a noun only groups the number behind it: "un groupe de cinq"."""
        number = self._number(following + 1) if self._text(following) in self.grammar.links else None
        return (
            number is not None and self._can_be_noun(number[1]) and self._text(number[1]) not in self.grammar.not_things
        )

    def _plays_a_part(self, start: int) -> bool:
        """Whether an article's noun is a subject, beside one, or what the picture shows."""
        before = self._text(start - 1)
        if not before or not before[0].isalnum():
            return True
        if before in self.grammar.conjunctions:
            return self.counted_before
        is_beside = any(
            phrase_end(self.words, at, self.grammar.beside) == start for at in range(max(start - _LONGEST, 0), start)
        )
        return is_beside or (before in self.grammar.links and self._text(start - 2) in self.grammar.frames)

    def _said(self, start: int, after: int, kind: Kind) -> int:
        """Note a phrase with its noun. Returns the index behind it; 0 where no noun follows."""
        number = self._number(after) if kind in (Kind.BOUND, Kind.NONE) else None
        if kind is Kind.BOUND and number is None:
            return 0
        head, attributes = self._head(number[1] if number else after)
        if head < 0 or self._text(head) in self.grammar.not_things:
            return head + 1
        noun = " ".join(word.text for word in (*attributes, self.words[head]))
        fix = noun if kind is Kind.NONE else f"{number[0] if number else 3} {noun}"
        self.notes.append(Note(kind, said_of(self.words, start, head + 1), fix))
        return head + 1
