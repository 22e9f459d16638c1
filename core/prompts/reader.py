"""Walks through a prompt and picks its counted noun phrases, by the rules of `counting_rules`."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from dataclasses import dataclass

from .counting_rules import Role, is_counted, is_second_half
from .determiners import Quantity, read_quantity, skip_frame, skip_grouping, two_things_in_a_row
from .grammar_words import (
    ARTICLES,
    AUXILIARIES,
    CONJUNCTIONS,
    DEFINITE,
    PEER_PHRASES,
    PEER_PREPOSITIONS,
    PLACE_PREPOSITIONS,
    POSSESSIVES,
    PREPOSITIONS,
    SUBORDINATORS,
)
from .noun_phrase import NounPhrase, read_noun_phrase
from .plurals import is_plural, noun_key
from .word_kinds import is_adverb, is_base_verb, is_boundary, is_past_participle, is_present_participle
from .words import Word, split_words


@dataclass(frozen=True)
class Mention:
    """A counted noun phrase.

    Attributes:
        count: how many it asks for.
        noun: words of the noun.
        attributes: adjectives before it.
        known: whether it repeats something mentioned before ("the two cats").
    """

    count: int
    noun: tuple[Word, ...]
    attributes: tuple[Word, ...]
    known: bool


_IMPERATIVES = frozenset(
    "draw show generate create make imagine paint render want need see picture depict sketch".split()
)
_NEEDS_CLAUSE = frozenset("as before after until since than like so".split())


def read_mentions(text: str) -> list[Mention]:
    """Counted noun phrases of `text`, in order."""
    return _Reader(split_words(text)).read()


class _Reader:
    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.mentions: list[Mention] = []
        self.of_noun: dict[str, list[Mention]] = defaultdict(list)
        self.stops = [word.end for word in words if word.text in {".", "!", ";", "\n"}]
        self.role = Role.SUBJECT
        self.in_list = False
        self.clause_start = True
        self.waiting: list[tuple[Quantity, NounPhrase]] = []  # "two red" of "two red and three blue balls"

    def read(self) -> list[Mention]:
        index = 0
        while index < len(self.words):
            index = self._step(index)
        return self.mentions

    def _text(self, index: int) -> str:
        return self.words[index].text if 0 <= index < len(self.words) else ""

    def _step(self, index: int) -> int:
        quantity = read_quantity(self.words, index)
        if quantity is None:
            return self._read_other(index)
        self.clause_start = False
        if (after := skip_frame(self.words, quantity.after)) > quantity.after:
            self.role = Role.SUBJECT
            return after
        if (after := skip_grouping(self.words, quantity.after)) > quantity.after:
            return after
        return self._read_counted(index, quantity)

    def _read_counted(self, start: int, quantity: Quantity) -> int:
        phrase = read_noun_phrase(self.words, quantity.after, quantity.count > 1, self.in_list)
        following = self._text(phrase.after)
        if not phrase.noun:
            if phrase.attributes and following in CONJUNCTIONS:
                self.waiting.append((quantity, phrase))
            return max(phrase.after, start + 1)
        role = self._role_of(start, phrase)
        if is_counted(phrase, role, quantity.stated, following):
            self._add(quantity, phrase)
        self.waiting = []
        self.role = role
        if role is Role.SUBJECT and not quantity.stated and following in CONJUNCTIONS:
            return self._read_second_half(phrase.after)
        return self._after_noun(phrase.after)

    def _role_of(self, start: int, phrase: NounPhrase) -> Role:
        """The role so far, or subject where a verb follows: "... and a dog running", "as a banner falls"."""
        before, following = self._text(start - 1), self._text(phrase.after)
        if not following or (is_boundary(following) and following not in AUXILIARIES):
            verb = False
        else:
            verb = not is_adverb(following) or is_present_participle(self._text(phrase.after + 1))
        if before in _NEEDS_CLAUSE:
            return Role.SUBJECT if verb else Role.PLACE
        return Role.SUBJECT if verb and before in CONJUNCTIONS else self.role

    def _add(self, quantity: Quantity, phrase: NounPhrase) -> None:
        known = quantity.known or self._is_one_of_them(quantity, phrase)
        for waiting, adjectives in self.waiting:
            self._note(Mention(waiting.count, phrase.noun, adjectives.attributes, waiting.known))
        self._note(Mention(quantity.count, phrase.noun, phrase.attributes, known))

    def _note(self, mention: Mention) -> None:
        self.mentions.append(mention)
        self.of_noun[noun_key(" ".join(word.text for word in mention.noun))].append(mention)

    def _is_one_of_them(self, quantity: Quantity, phrase: NounPhrase) -> bool:
        """Whether the phrase tells more about things counted in a sentence before: "Two puppies. One puppy is black"."""
        if phrase.attributes or self._text(phrase.after) not in AUXILIARIES:
            return False
        before = bisect_right(self.stops, phrase.noun[0].start)
        if not before:
            return False
        noun = noun_key(" ".join(word.text for word in phrase.noun))
        return any(
            mention.count > quantity.count and mention.noun[-1].end <= self.stops[before - 1]
            for mention in self.of_noun[noun]
        )

    def _read_second_half(self, joint: int) -> int:
        """The second noun of "a bride and groom", "a woman and her dog"."""
        start = joint + 1
        if start >= len(self.words):
            return start
        shared = self._text(start) in POSSESSIVES
        if shared or two_things_in_a_row(self.words, start):
            phrase = read_noun_phrase(self.words, start + shared, False, True)
            if is_second_half(phrase):
                self._add(Quantity(1, False, False, start), phrase)
                return self._after_noun(phrase.after)
        return self._after_noun(joint)

    def _after_noun(self, index: int) -> int:
        """Past the word behind a noun, when that is its verb."""
        text = self._text(index)
        if text and not is_boundary(text) and not is_adverb(text) and text != "next":
            self.role = Role.OBJECT
            return index + 1
        return index

    def _read_other(self, index: int) -> int:
        text = self._text(index)
        peers = next((p for p in PEER_PHRASES if tuple(w.text for w in self.words[index : index + len(p)]) == p), None)
        at_start, self.clause_start = self.clause_start, False
        if peers:
            self.role = Role.PEER
            return index + len(peers)
        if self.words[index].is_punctuation:
            self._read_punctuation(text)
        elif text in CONJUNCTIONS:
            self.in_list = True
        elif text in DEFINITE | POSSESSIVES and not (text == "that" and is_boundary(self._text(index + 1) or ",")):
            return self._read_known(index)
        elif text in SUBORDINATORS:
            self.role, self.in_list = Role.SUBJECT, False
        elif text in PEER_PREPOSITIONS or text in PLACE_PREPOSITIONS:
            self.role = Role.PEER if text in PEER_PREPOSITIONS else Role.PLACE
        elif at_start and (after := max(skip_frame(self.words, index), skip_grouping(self.words, index))) > index:
            return after
        elif not (at_start and text in _IMPERATIVES):
            self._read_verb(index, text)
        return index + 1

    def _read_known(self, index: int) -> int:
        """Past "the dancers" or "their paws", which name nothing new, and past their verb."""
        phrase = read_noun_phrase(self.words, index + 1, True)
        if (
            not phrase.noun
            or not is_plural(phrase.noun[-1].text)
            or (len(phrase.noun) > 1 and self._acts(phrase.after))
        ):
            phrase = read_noun_phrase(self.words, index + 1, False, True)
        if not phrase.noun:
            return index + 1
        self.role = self._role_of(index, phrase)
        return self._after_noun(phrase.after)

    def _acts(self, index: int) -> bool:
        """Whether the word before `index` was a verb by what follows it: "the model strikes a pose"."""
        return self._text(index) in ARTICLES | DEFINITE | POSSESSIVES | PREPOSITIONS

    def _read_punctuation(self, text: str) -> None:
        self.in_list = text in {",", "&"}
        self.clause_start = True
        if text not in {"'", '"', "-", "&", "’", "‘", "“", "”", ")"}:
            self.role = Role.SUBJECT

    def _read_verb(self, index: int, text: str) -> None:
        if text in AUXILIARIES:
            existential = text in {"there's", "it's"} or self._text(index - 1) in {"there", "it", "this"}
            self.role = Role.SUBJECT if existential else Role.OBJECT
        elif is_present_participle(text) or is_past_participle(text):
            progressive = self._text(index - 1) in AUXILIARIES and is_present_participle(text)
            self.role = Role.ACTED_ON if progressive else Role.OBJECT
        elif is_base_verb(text) and not is_plural(text):
            self.role = Role.OBJECT
