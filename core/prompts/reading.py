"""Reads a prompt in its own language, or languages: told by its script, and in Latin letters by its words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from .languages.east_asian import has_east_asian, read_east_asian
from .languages.english.reader import read_english
from .languages.spaced import read_spaced
from .languages.telling import language_of
from .lettering import read_lettering
from .mentions import Mention, Reading
from .notes import Kind, Note
from .words import Word, split_words


def read_text(text: str) -> Reading:
    """Counted nouns of `text` in order, and what it says of numbers without asking for a count."""
    lettering = read_lettering(text, split_words(text))
    language = language_of(lettering.outside)
    here = _read(lettering.outside, language)
    east = read_east_asian(text, lettering.spans)
    mentions: Sequence[Mention] = sorted([*here.mentions, *east.mentions], key=lambda mention: mention.noun[0].start)
    inside = [
        (said, [*_read(words, language).mentions, *read_east_asian(said).mentions]) for said, words in lettering.inside
    ]
    quoted = [Note(Kind.LETTERING, said) for said, found in inside if any(mention.count > 1 for mention in found)]
    return Reading(mentions, [*here.notes, *east.notes, *quoted], lettering.outside, language)


def _read(words: Sequence[Word], language: str) -> Reading:
    """What words in letters of Europe say; those of other scripts end a sentence."""
    plain = [replace(word, text=".") if has_east_asian(word.text) else word for word in words]
    return read_english(plain) if language == "en" else read_spaced(plain, language)
