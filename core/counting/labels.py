"""What detectors call things, and which noun of the prompt that is."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Sequence

from ..prompts import same_noun, singular

PERSON = ("person", "human")
"""What a detector calls anybody."""

_PEOPLE = frozenset("woman man girl boy child kid baby toddler teenager adult lady gentleman guy".split())
_WORD_PIECES = re.compile(r"\s*##")  # how BERT's tokenizer marks the second half of a word
_NUMBERS = re.compile(r"(?<![^\W_])\d+(?:[.,]\d+)?(?:e-\d+)?(?![^\W_])")


def clean_label(label: str) -> str:
    """A label in lower case, without scores, punctuation and the marks of a tokenizer: "Red_Cat: 0.93" is "red cat".

    The number of a class stays as it is; what has neither letters nor digits is no label, "".
    """
    text = _WORD_PIECES.sub("", label.lower()).replace("_", " ")
    words = "".join(map(_without_marks, _NUMBERS.sub(" ", text))).split()
    only_numbers = " ".join(text.split()) if any(map(str.isalnum, text)) else ""
    return " ".join(words) or only_numbers


def owner_of(label: str, nouns: Sequence[str]) -> int | None:
    """Which of the nouns a thing is that a detector calls `label`: the longest one that the label ends in.

    Singular and plural are the same, and so are "red cat" and "cats". A label for some people ("woman") is also any person.

    Returns:
        index of the noun; None where none fits.
    """
    words = clean_label(label).split()
    lengths = [_shared_words(words, noun) for noun in nouns]
    if any(lengths):
        return lengths.index(max(lengths))
    if is_of_people(label):
        return next((index for index, noun in enumerate(nouns) if is_person(noun)), None)
    return None


def is_person(name: str) -> bool:
    """Whether a noun or label means anybody: "person", "people", "a standing person"."""
    return _head(name) in PERSON


def is_of_people(name: str) -> bool:
    """Whether a noun or label means some kind of people: "women", "little boy"."""
    return _head(name) in _PEOPLE


def listed(names: Iterable[str]) -> str:
    """ "cats, dogs and mice", each in quotation marks."""
    *first, last = (f"'{name}'" for name in names)
    return f"{', '.join(first)} and {last}" if first else last


def _head(name: str) -> str:
    words = clean_label(name).replace("-", " ").split()
    return singular(words[-1]) if words else ""


def _shared_words(words: Sequence[str], noun: str) -> int:
    """How many words the noun has, where the label ends in them; 0 where it does not."""
    noun_words = clean_label(noun).split()
    return len(noun_words) if noun_words and same_noun(" ".join(words[-len(noun_words) :]), " ".join(noun_words)) else 0


def _without_marks(sign: str) -> str:
    """A space for punctuation and symbols, nothing for what has no width; an apostrophe belongs to its word."""
    category = unicodedata.category(sign)
    if category == "Cf":
        return ""
    return " " if category[0] in "PSC" and sign not in "'’" else sign
