"""What a reader of a language gives: its counted nouns, and what it says instead of counting."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .notes import Note
from .plurals import noun_key
from .words import Word


@dataclass(frozen=True)
class Mention:
    """A counted noun phrase.

    Attributes:
        count: how many it asks for.
        noun: words of the noun.
        attributes: adjectives before it.
        known: whether it repeats something mentioned before ("the two cats").
        is_tag: whether count and noun are one word ("2girls"); such tags repeat, and do not add up.
        is_further: whether it adds to those mentioned before in any case ("another girl", "two more cats").
    """

    count: int
    noun: tuple[Word, ...]
    attributes: tuple[Word, ...] = ()
    known: bool = False
    is_tag: bool = False
    is_further: bool = False

    @property
    def key(self) -> str:
        """The same for mentions of one noun."""
        return noun_key(" ".join(word.text for word in self.noun))


@dataclass(frozen=True)
class Reading:
    """What was read.

    Attributes:
        mentions: in order of the prompt.
        notes: what is said rather than counted.
        words: the words that were read; those of lettering are not among them.
        language: of what is written in letters of Europe.
    """

    mentions: Sequence[Mention] = ()
    notes: Sequence[Note] = ()
    words: Sequence[Word] = ()
    language: str = "en"
