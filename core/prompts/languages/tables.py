"""Words of a language as data: each has one file in the folder `words`, which is read when the language is."""

from __future__ import annotations

import re
from collections.abc import Mapping
from configparser import ConfigParser
from functools import lru_cache
from pathlib import Path

Section = Mapping[str, str]
Phrases = Mapping[str, tuple[tuple[str, ...], ...]]
"""First word -> phrases, the longest first."""
_FOLDER = Path(__file__).parent / "words"


@lru_cache
def read_table(language: str) -> Mapping[str, Section]:
    """Sections of the file of `language` ("zh", "de", ...), each with its entries: name -> words between spaces."""
    parser = ConfigParser(interpolation=None, delimiters=("=",), comment_prefixes=("#",))
    parser.optionxform = str  # type: ignore[assignment,method-assign]  # names are words, too: "cm" is not "CM"
    parser.read_string((_FOLDER / f"{language}.ini").read_text(encoding="utf-8"))
    return parser


def values(section: Section) -> dict[str, int]:
    """Words of a section whose names are numbers: word -> number."""
    return {word: int(value) for value, words in section.items() for word in words.split()}


def pairs(entry: str) -> dict[str, str]:
    """ "mice:mouse two/both:2" as a table."""
    return {
        word: value for words, _, value in (pair.partition(":") for pair in entry.split()) for word in words.split("/")
    }


def numbers_of(entry: str) -> dict[str, int]:
    """ "zwei/zwo:2 drei:3" as a table."""
    return {word: int(value) for word, value in pairs(entry).items()}


def phrases_of(entry: str) -> Phrases:
    """The phrases of an entry, which stand between bars."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for phrase in sorted(filter(None, (tuple(phrase.split()) for phrase in entry.split("|"))), key=len, reverse=True):
        found.setdefault(phrase[0], []).append(phrase)
    return {first: tuple(phrases) for first, phrases in found.items()}


def letters(words: str) -> dict[str, None]:
    """The letters of an entry in order, without the spaces that break its lines."""
    return dict.fromkeys("".join(words.split()))


def either(words: str) -> str:
    """The words of an entry as alternatives of a pattern, the longest first."""
    return "|".join(sorted(map(re.escape, words.split()), key=len, reverse=True))
