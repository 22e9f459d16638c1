"""How far a prompt was read: its words, what was found in them, and where in its clause the next one stands."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ...mentions import Mention
from ...notes import Kind, Note
from ...words import Word, said_of, text_at
from .clause import Clause
from .determiners import Quantity
from .noun_phrase import NounPhrase

_ENDS_OF_SENTENCES = frozenset([".", "!", ";", "\n"])


class Walk:
    """What the readers of phrases share; each of them takes the walk and an index, and returns the index behind its phrase.

    Attributes:
        words: of the prompt.
        mentions: what is counted so far.
        notes: what is said so far rather than counted.
        clause: where the next word stands.
        negated: index of the word that negates what follows; -1 where none does.
        waiting: counts and adjectives whose noun is yet to come: "two red" of "two red and three blue balls".
        told_apart: how many mentions there were when one of the last was told apart: "three cats, one black".
        stops: where the sentences end, in characters.
    """

    def __init__(self, words: Sequence[Word]) -> None:
        self.words = words
        self.mentions: list[Mention] = []
        self.notes: list[Note] = []
        self.clause = Clause(words)
        self.negated = -1
        self.waiting: list[tuple[Quantity, NounPhrase]] = []
        self.told_apart = -1
        self.stops = [word.end for word in words if word.text in _ENDS_OF_SENTENCES]

    def text(self, index: int) -> str:
        """Text of the word at `index`; empty where there is none."""
        return text_at(self.words, index)

    def say(self, kind: Kind, start: int, after: int, fix: str) -> None:
        """Note the words from `start` to before `after`, and what to write instead."""
        self.notes.append(Note(kind, said_of(self.words, start, after), fix))

    def sentence_of(self, place: int) -> int:
        """Number of the sentence that the character at `place` belongs to."""
        return bisect_right(self.stops, place)
