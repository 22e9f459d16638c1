"""Grammar of languages that write spaces: of each only what stands around a counted noun, from its table."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from typing import Any

from .tables import Phrases, Section, numbers_of, phrases_of, read_table

SPACED = ("de", "fr", "es", "pt", "it", "ru")
Words = frozenset[str]


@dataclass(frozen=True)
class Grammar:
    """One language.

    Attributes:
        told_by: frequent words that are of no other language here; a text is of the language that has most of them.
        numbers: number words and their values; those of 20 and more go on with smaller ones.
        joint: what joins tens and ones, if anything.
        articles: "a", which asks for one where the noun plays a part.
        ones: numeral one, which asks for one everywhere.
        conjunctions: what joins two nouns.
        beside: phrases before an article behind which a thing stands in the picture on its own.
        frames: the picture itself: "photo", "painting".
        scenes: where things are: "a forest with two deer" has deer.
        links: what joins a frame, a set or a group with its nouns: "of".
        sets: nouns that multiply the number before them: "pair", "dozen".
        couples: people that are two.
        before: adjectives that stand before their noun, as their beginnings.
        before_ends: how adjectives before a noun end, where the ending tells.
        nouns_like_adjectives: nouns that end so.
        behind: adjectives behind a noun that tell objects apart, as their beginnings.
        not_things: what is measured, or a part of a thing: "years", "metres", "floors".
        stops: words that are no noun.
        vague, bounds, negations, ranges: what is said of numbers without asking for a count.
        elided: what is written together with the next word by an apostrophe.
        endings: how nouns end, so that two forms of one noun are known by what is left of them.
        verb_ends: how verbs end that may follow a noun.
        capitals: whether nouns begin with a capital letter.
    """

    told_by: Words
    numbers: Mapping[str, int]
    joint: str
    articles: Words
    ones: Words
    conjunctions: Words
    beside: Phrases
    frames: Words
    scenes: Words
    links: Words
    sets: Mapping[str, int]
    couples: Words
    before: tuple[str, ...]
    before_ends: tuple[str, ...]
    nouns_like_adjectives: Words
    behind: tuple[str, ...]
    not_things: Words
    stops: Words
    vague: Phrases
    bounds: Phrases
    negations: Words
    ranges: Words
    elided: Words
    endings: tuple[str, ...]
    verb_ends: tuple[str, ...]
    capitals: bool


@lru_cache
def grammar_of(language: str) -> Grammar:
    """The grammar of one of `SPACED`; what its table leaves out is empty."""
    table = read_table(language)["words"]
    entries = {field.name: _READ[str(field.type)](table.get(field.name, "")) for field in fields(Grammar)}
    return Grammar(**entries | {"numbers": entries["numbers"] | _compounds(table)})


def _compounds(table: Section) -> dict[str, int]:
    """Tens and ones in one word, by the pattern of the table: "dreiundzwanzig", "ventitré", "ventuno" without its i."""
    pattern = table.get("compounds", "")
    return {
        pattern.format(one=one, ten=ten[:-1] if one[0] in "uo" else ten): 10 * high + low
        for high, ten in enumerate(table.get("of_tens", "").split(), start=2)
        for low, ones in enumerate(table.get("of_ones", "").split(), start=1)
        for one in ones.split("/")
    }


_READ: Mapping[str, Callable[[str], Any]] = {
    "Words": lambda entry: frozenset(entry.split()),
    "Phrases": phrases_of,
    "Mapping[str, int]": numbers_of,
    "tuple[str, ...]": lambda entry: tuple(entry.split()),
    "str": str,
    "bool": {"yes": True, "": False}.__getitem__,
}
"""How an entry is read, by the type of its attribute."""
