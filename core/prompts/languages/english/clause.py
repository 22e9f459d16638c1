"""What the words between noun phrases say of the next one: its role in the clause."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum, auto

from ...plurals import singular
from ...words import Word, phrase_end, text_at
from . import vocabulary
from .noun_phrase import NounPhrase
from .word_kinds import is_adverb, is_base_verb, is_boundary, is_participle, is_past_participle, is_present_participle

_SHOWING = vocabulary.word_set("showing")
_PEER_PHRASES = vocabulary.phrase_set("peer_phrases")
_NEEDS_CLAUSE = vocabulary.word_set("needs_clause")
_DISTRIBUTIVE = frozenset(["each", "every"])
_EACH_PLACE = vocabulary.word_set("each_place")
_STAY = frozenset("'\"-&’‘“”)")  # marks that begin no new subject


class Role(Enum):
    """What a noun phrase is in its clause."""

    SUBJECT = auto()
    PEER = auto()  # beside a subject: "with a dog", "next to a dog"
    ACTED_ON = auto()  # object of a full sentence: "is feeding a horse"
    OBJECT = auto()  # object of a participle: "riding a wave"
    PLACE = auto()


class Clause:
    """Where a walk through a prompt stands in its clause.

    Attributes:
        role: of the next noun phrase.
        in_list: whether that phrase goes on with a list.
        listed: whether a comma of the sentence joined noun phrases.
        start: index of the first word of the clause.
        shown: whether the next noun phrase is what a camera shows, in whatever way.
        noun_end: index behind the noun phrase read last, where no verb followed it.
        of_each: whether it tells of each of several things, so that no number in it says how many there are.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self._words = words
        self.role = Role.SUBJECT
        self.in_list = self.listed = False
        self.start = 0
        self.shown = False
        self.noun_end = -1
        self.of_each = False

    def role_of(self, start: int, phrase: NounPhrase) -> Role:
        """The role so far, or subject where a verb follows: "... and a dog running", "as a banner falls"."""
        before, following = text_at(self._words, start - 1), text_at(self._words, phrase.after)
        if not following or (is_boundary(following) and following not in vocabulary.AUXILIARIES):
            verb = False
        else:
            verb = not is_adverb(following) or is_present_participle(text_at(self._words, phrase.after + 1))
        self.listed = self.listed or before == ","
        if before in _NEEDS_CLAUSE:
            return Role.SUBJECT if verb else Role.PLACE
        has_parts = self.role is Role.PEER and phrase.head in vocabulary.PARTS  # "with three heads and two wings"
        is_new = self.shown or start == self.noun_end or (verb and before in vocabulary.CONJUNCTIONS and not has_parts)
        return Role.SUBJECT if is_new else self.role  # "on the table a vase", "two cats and a dog running"

    def after_noun(self, index: int) -> int:
        """Past the word behind a noun, when that is its verb."""
        text, self.shown = text_at(self._words, index), False
        if text and not is_boundary(text) and not is_adverb(text) and text != "next":
            self.role = Role.SUBJECT if text in _SHOWING else Role.OBJECT
            return index + 1
        self.noun_end = index
        return index

    def read_peer_phrase(self, index: int) -> int:
        """Index behind "next to" and the like; 0 where no such words stand."""
        after = phrase_end(self._words, index, _PEER_PHRASES)
        self.role = Role.PEER if after else self.role
        return after

    def read_word(self, index: int, follows_noun: bool) -> bool:
        """Read a mark or a word that joins phrases or clauses. Returns whether it is one.

        Args:
            follows_noun: whether a counted noun stands right before it.
        """
        text, before = self._words[index].text, text_at(self._words, index - 1)
        if text in _DISTRIBUTIVE:
            self.of_each = text_at(self._words, index + 1) not in _EACH_PLACE | {"of"}
            return False
        if self._words[index].is_punctuation:
            self.of_each, self.shown = self.of_each and text in _STAY, False
            self.in_list, self.start = text in {",", "&"}, index + 1
            self.listed = self.listed and text == ","
            self.role = self.role if text in _STAY else Role.SUBJECT
        elif text in vocabulary.CONJUNCTIONS:
            self.in_list = True
            if self.listed and self.role is Role.PLACE and text_at(self._words, index + 1) in vocabulary.ARTICLES:
                self.role = Role.SUBJECT  # "a jar, two eggs in a carton and a towel"
            self.of_each = self.of_each and self.role is not Role.SUBJECT  # "each cat and three dogs"
        elif text in _SHOWING or (text == "at" and before == "look" and index == 1):
            self.role = Role.SUBJECT
        elif text in vocabulary.SUBORDINATORS:
            self.role, self.in_list, self.listed = Role.SUBJECT, False, False
        elif text in vocabulary.PREPOSITIONS:
            is_beside = text == "near" and follows_noun  # "lemons near an apple", but not "a dog sleeping near a log"
            is_agent = text == "by" and is_past_participle(before)  # "watched by a seahorse"
            is_peer = text in vocabulary.PEER_PREPOSITIONS or is_beside or is_agent
            self.role = Role.PEER if is_peer and before not in vocabulary.ADORNED | {"each"} else Role.PLACE
        else:
            return False
        return True

    def read_verb(self, index: int) -> None:
        """Read a word that may be a verb: what follows it is acted on."""
        text, before = self._words[index].text, text_at(self._words, index - 1)
        if text in vocabulary.AUXILIARIES:
            existential = text in {"there's", "it's"} or before in {"there", "it", "this"}
            self.role = Role.SUBJECT if existential else Role.OBJECT
        elif is_participle(text):
            progressive = before in vocabulary.AUXILIARIES and is_present_participle(text)
            self.role = Role.ACTED_ON if progressive else Role.OBJECT
        elif text_at(self._words, index + 1) in vocabulary.ARTICLES and not is_adverb(text) and not is_boundary(text):
            is_verb = self.role not in (Role.PLACE, Role.PEER) or is_base_verb(singular(text))
            self.role = Role.OBJECT if is_verb else Role.SUBJECT  # "they form a ring", "behind him cower a"
