"""Guesses a word's kind from closed lists and endings."""

from __future__ import annotations

from functools import lru_cache

from ...plurals import is_plural
from . import vocabulary
from .numbers import NUMBER_WORDS, is_number

_ADJECTIVE_ENDINGS = tuple(vocabulary.word_set("endings"))
_LY_NOT_ADVERBS = vocabulary.word_set("not_adverbs") | vocabulary.ADJECTIVES
_PARTICLES = vocabulary.word_set("particles")
_BOUNDARIES = frozenset().union(
    vocabulary.ARTICLES, vocabulary.DEFINITE, vocabulary.POSSESSIVES, vocabulary.QUANTIFIERS, vocabulary.CONJUNCTIONS,
    vocabulary.SUBORDINATORS, vocabulary.PREPOSITIONS, vocabulary.PRONOUNS, vocabulary.AUXILIARIES,
)  # fmt: skip


@lru_cache(4_096)
def is_boundary(word: str) -> bool:
    """Whether a noun phrase that has begun must end before this word: punctuation, preposition, article, "is", ..."""
    return not word[0].isalnum() or word in _BOUNDARIES or is_number(word)


def is_adverb(word: str) -> bool:
    """Whether the word can only describe a verb or an adjective ("slowly", "very", "together")."""
    return word in vocabulary.ADVERBS or (word.endswith("ly") and len(word) > 4 and word not in _LY_NOT_ADVERBS)


def is_present_participle(word: str) -> bool:
    """Whether the word is a verb form in -ing ("running"), not a noun ("painting", "king")."""
    last = word.rsplit("-", 1)[-1]
    return len(last) > 4 and last.endswith("ing") and last not in vocabulary.NOUNS_IN_ING


def is_past_participle(word: str) -> bool:
    """Whether the word is a verb form in -ed or a common irregular one ("dressed", "sat")."""
    last = word.rsplit("-", 1)[-1]
    return last in vocabulary.IRREGULAR_PAST or (
        len(last) > 4 and last.endswith("ed") and last not in vocabulary.NOT_ADJECTIVES
    )


def is_participle(word: str) -> bool:
    """Whether the word is either."""
    return is_present_participle(word) or is_past_participle(word)


def is_base_verb(word: str) -> bool:
    """Whether the word is a common verb's base form ("walk")."""
    return word in vocabulary.BASE_VERBS


def is_finite_verb(word: str) -> bool:
    """Whether a word after a singular noun is its verb: "breaches", "sits", "stood"."""
    return (is_plural(word) and word not in vocabulary.NOUNS_IN_S) or word in vocabulary.IRREGULAR_PAST


@lru_cache(4_096)
def is_adjective(word: str) -> bool:
    """Whether a word before a noun describes it instead of being part of its name."""
    if word in vocabulary.ADJECTIVES:
        return True
    if "-" in word:
        return _is_hyphenated_adjective(word.split("-"))
    if word in vocabulary.NOT_ADJECTIVES or is_plural(word):
        return False
    return is_participle(word) or (len(word) > 4 and word.endswith(_ADJECTIVE_ENDINGS))


def can_be_noun(word: str) -> bool:
    """Whether the last word of a phrase may be its noun; an adjective may only where it also names a thing ("orange")."""
    return word not in vocabulary.ADJECTIVES or word in vocabulary.ALSO_NOUNS


def _is_hyphenated_adjective(parts: list[str]) -> bool:
    """ "black-and-white", "long-haired", "two-story", "high-tech", but not "steel-beams", "crew-member"."""
    numeral = parts[0] in NUMBER_WORDS or parts[0].isdigit()
    particle = parts[0] in _PARTICLES
    return numeral or particle or "and" in parts or is_adjective(parts[-1]) or parts[-1] in {"style", "tone", "color"}
