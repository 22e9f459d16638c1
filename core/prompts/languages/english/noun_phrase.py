"""Finds where the noun phrase behind a number or an article ends, and which of its words name the thing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...plurals import SAME_IN_BOTH, is_plural, singular
from ...words import Word, text_at
from . import vocabulary
from .numbers import is_number
from .word_kinds import (
    can_be_noun,
    is_adjective,
    is_adverb,
    is_base_verb,
    is_boundary,
    is_finite_verb,
    is_participle,
    is_present_participle,
)

_BEHIND_A_VERB = vocabulary.PREPOSITIONS | vocabulary.ARTICLES | vocabulary.DETERMINERS
_ACTING = frozenset("wearing holding carrying watching pulling pushing throwing chasing".split())
_BEHIND_ORDINALS = frozenset(["century", "grade", "generation", "floor"])


@dataclass(frozen=True)
class NounPhrase:
    """A noun with the adjectives before it; `noun` is empty in "two red" of "two red and three blue balls".

    Attributes:
        attributes: adjectives in order.
        noun: words of the noun, in order.
        after: index of the first word behind the phrase.
    """

    attributes: tuple[Word, ...]
    noun: tuple[Word, ...]
    after: int

    @property
    def head(self) -> str:
        """The last word of the noun; there must be one."""
        return self.noun[-1].text

    @property
    def text(self) -> str:
        """Adjectives and noun."""
        return " ".join(word.text for word in (*self.attributes, *self.noun))


def read_noun_phrase(words: Sequence[Word], start: int, plural: bool, coordinated: bool = False) -> NounPhrase:
    """The noun phrase that begins at `words[start]`, behind its number or article.

    Args:
        words: words of a prompt.
        start: index of the first word behind the number or article.
        plural: whether the number asks for a plural noun, which then ends the phrase.
        coordinated: whether the phrase is the later part of a list, where a bare verb may follow ("one X and one Y walk").
    """
    index = start + 1 if text_at(words, start) in vocabulary.FURTHER else start
    kept: list[Word] = []
    nouns = 0
    while (index := _skip_joined_adjectives(words, index, kept, nouns)) < len(words):
        text = words[index].text
        if (kept and text == "next" and text_at(words, index + 1) == "to") or (not kept and text in _ACTING):
            break  # "all three wearing hats"
        if (is_boundary(text) and not _is_a_can(words, index)) or (
            nouns and _is_verb_here(words, index, plural, coordinated)
        ):
            break
        if kept and not nouns and can_be_noun(kept[-1].text) and _is_closing_verb(words, index):
            break
        if text in _BEHIND_ORDINALS and not kept and words[index - 1].text[0].isdigit():  # "a 19th century gentleman"
            index += 1
            continue
        if text.endswith("'s"):
            kept, nouns, index = [], 0, index + 1
            continue
        adjective = is_adjective(text) and not _in_compound(words, index)
        if not (is_adverb(text) and not adjective) and not text[0].isdigit():
            kept.append(words[index])
            nouns += not adjective
        index += 1
        if plural and not adjective and _ends_plural(words, index):
            break
    return _split(kept, index)


def _split(kept: list[Word], after: int) -> NounPhrase:
    """Attributes and noun of the words of a phrase: the noun is the last run of words that are not adjectives."""
    begin = len(kept)
    while begin > 0 and not is_adjective(kept[begin - 1].text):
        begin -= 1
    if begin == len(kept) and kept and can_be_noun(kept[-1].text) and not _only_describes(kept[-1].text):
        begin -= 1
    for size in (4, 3, 2):
        if len(kept) >= size and singular(" ".join(word.text for word in kept[-size:])) in vocabulary.COMPOUNDS:
            begin = min(begin, len(kept) - size)
    if begin == len(kept) - 1 and begin and _names_a_kind(kept[begin - 1].text, kept[begin].text):
        begin -= 1
    return NounPhrase(tuple(kept[:begin]), tuple(kept[begin:]), after)


def _only_describes(text: str) -> bool:
    """Whether a participle names nothing where it stands alone: "two engineers, one sketching a plan"."""
    return is_present_participle(text) or text in vocabulary.ADORNED


def _skip_joined_adjectives(words: Sequence[Word], index: int, kept: list[Word], nouns: int) -> int:
    """Step over the joint in "black and white", "large, fluffy" when only adjectives were read so far."""
    joint = text_at(words, index)
    if nouns or not kept or joint not in {",", "and", "or", "&", "but"}:
        return index
    following = index + 2 if joint == "," and text_at(words, index + 1) == "and" else index + 1
    text = text_at(words, following)
    if not text or not is_adjective(text) or (joint == "," and is_present_participle(text)):
        return index
    return following if _noun_follows(words, following) else index


def _noun_follows(words: Sequence[Word], index: int) -> bool:
    """Whether a word that can be a noun comes before the next boundary."""
    while index < len(words) and not is_boundary(words[index].text):
        if not is_adjective(words[index].text) or can_be_noun(words[index].text):
            return True
        index += 1
    return (
        index < len(words) and words[index].text in {"and", ","} and index > 0 and is_adjective(words[index - 1].text)
    )


def _is_verb_here(words: Sequence[Word], index: int, plural: bool, coordinated: bool) -> bool:
    """Whether the word at `index` is what the noun before it does, or an adverb of that."""
    text, following = words[index].text, text_at(words, index + 1)
    ends = _ends(following)
    if _in_compound(words, index):
        return False
    if text in vocabulary.NOUNS_IN_ING:
        return following in vocabulary.ARTICLES | vocabulary.DETERMINERS | vocabulary.PRONOUNS or (
            bool(following) and is_number(following)
        )
    if is_participle(text):
        if plural:
            return not _plural_ahead(words, index + 1)
        return is_present_participle(text) or ends or is_finite_verb(text) or is_present_participle(following)
    if is_adverb(text) and not (is_adjective(text) and not ends):
        return True
    if is_adjective(text):
        return ends
    if not plural and is_finite_verb(text):
        return True
    return coordinated and is_base_verb(text) and ends and following not in vocabulary.AUXILIARIES


def _is_closing_verb(words: Sequence[Word], index: int) -> bool:
    """Whether a participle with no noun behind it is at `index`: "a rose blooming in", but not "a rose painted vase"."""
    return is_participle(words[index].text) and _ends(text_at(words, index + 1))


def _ends(text: str) -> bool:
    return not text or is_boundary(text) or is_adverb(text)


def _is_a_can(words: Sequence[Word], index: int) -> bool:
    """Whether "can" is the thing ("a watering can in"), not the verb ("a dog can fly")."""
    following = text_at(words, index + 1)
    return words[index].text == "can" and not (
        is_base_verb(following) or following in vocabulary.AUXILIARIES or is_adverb(following)
    )


def _ends_plural(words: Sequence[Word], index: int) -> bool:
    """Whether the plural noun before `index` ends its phrase: not in "two sports cars", but in "a pair of swans glides by"."""
    noun, text, following = words[index - 1].text, text_at(words, index), text_at(words, index + 1)
    is_verb = is_base_verb(singular(text)) and bool(following) and is_boundary(following)
    if not is_plural(noun):
        return noun in SAME_IN_BOTH and is_verb and not is_plural(text)  # "three samurai walk through"
    goes_on = bool(text) and not is_boundary(text) and is_plural(text) and not is_adverb(text)
    if noun in vocabulary.PARTS and is_base_verb(singular(text)):
        return True  # "a merchant with four arms sells fruit"
    return not goes_on or (is_verb and (following in _BEHIND_A_VERB or is_number(following)))


def _plural_ahead(words: Sequence[Word], index: int) -> bool:
    """Whether one of the next two words of the phrase is a plural noun."""
    for word in words[index : index + 2]:
        if is_boundary(word.text):
            return False
        if is_plural(word.text):
            return True
    return False


def _in_compound(words: Sequence[Word], index: int) -> bool:
    return _names_a_kind(text_at(words, index), text_at(words, index + 1))


def _names_a_kind(gerund: str, noun: str) -> bool:
    """Whether two words are a compound like "swimming pool"."""
    return bool(noun) and singular(noun) in vocabulary.GERUND_COMPOUNDS.get(gerund, ())
