"""Singular and plural of English nouns, good enough for the nouns of prompts and the labels of detectors.

Rules and lists of our own: the library `inflect` takes a singular in -s for a plural ("octopus" becomes "octopu"), is right
less often on the pairs of tests/data/noun_pairs.txt, takes 0.2 ms a word, and brings three further packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from .languages.tables import pairs, read_table

_FORMS = {name: tuple(words.split()) for name, words in read_table("en")["plurals"].items()}
_ANY_OF = {name: frozenset(words) for name, words in _FORMS.items()}
IRREGULAR = pairs(read_table("en")["plurals"]["irregular"])
"""Plural -> singular where no rule tells."""
SAME_IN_BOTH = _ANY_OF["same_in_both"]
"""Nouns that are alike in both."""
_SAME_AS_PLURAL = SAME_IN_BOTH - _ANY_OF["more_often_one"]
_PLURALS = {one: many for many, one in reversed(IRREGULAR.items()) if many not in _ANY_OF["seldom"]} | {"axis": "axes"}
_IN_SE = _ANY_OF["in_use"] | _ANY_OF["in_ase"] | _ANY_OF["in_ise"] | _ANY_OF["in_ose"]
_ENDS_OF_PLURALS = {many: IRREGULAR[many] for many in _FORMS["compounded"]} | {"men": "man"}
_ENDS_OF_PLURALS |= {f"{one.rstrip('e')[:-1]}ves": one for one in _FORMS["in_f"]}
"""How longer nouns end in the plural -> in the singular."""
_VOWELS = "aeiou"


@lru_cache(8_192)
def is_plural(word: str) -> bool:
    """Whether a lower-case word can be a plural noun ("mice", "sheep", "cats"), judged by its form alone."""
    last = word.rsplit("-", 1)[-1]
    if last in IRREGULAR or last in _SAME_AS_PLURAL or last.endswith(("men", *_FORMS["compounded"], "eaux")):
        return last not in _ANY_OF["men_in_one"] or last in IRREGULAR
    return len(last) > 2 and last.endswith("s") and not _is_singular_in_s(last)


@lru_cache(8_192)
def singular(word: str) -> str:
    """Singular of a lower-case noun; for several words, of the last one. A singular noun comes back unchanged."""
    before, last = _last_word(word)
    if last in IRREGULAR:
        return before + IRREGULAR[last]
    if not is_plural(last) or last in SAME_IN_BOTH:
        return word
    return before + (_with_other_end(last, _ENDS_OF_PLURALS) or _regular_singular(last))


def plural(word: str) -> str:
    """Plural of a lower-case noun; for several words, of the last one. A plural noun comes back unchanged."""
    before, last = _last_word(word)
    if last in _PLURALS:
        return before + _PLURALS[last]
    if last in SAME_IN_BOTH or is_plural(last):
        return word
    ends = {
        one: many for many, one in _ENDS_OF_PLURALS.items() if one != "man" or not last.endswith(_FORMS["not_a_man"])
    }
    return before + (_with_other_end(last, ends) or _regular_plural(last))


def noun_key(noun: str) -> str:
    """The same for nouns that are the same but for number, case and hyphens ("Cat" and "cats")."""
    return singular(noun.lower()).replace("-", " ")


def same_noun(first: str, second: str) -> bool:
    """Whether two nouns are the same but for number, case and hyphens ("Cat" and "cats", "axis" and "axes")."""
    one, other = (name.lower().replace("-", " ") for name in (first, second))
    return singular(one) == singular(other) or plural(one) == other or plural(other) == one


def _last_word(word: str) -> tuple[str, str]:
    """What stands before the last word, its space or hyphen included, and that word."""
    start = max(word.rfind(" "), word.rfind("-")) + 1
    return word[:start], word[start:]


def _with_other_end(word: str, ends: Mapping[str, str]) -> str:
    """The word with the first end that it has replaced by the other one; empty where it has none of them."""
    return next((word.removesuffix(end) + other for end, other in ends.items() if _ends_in(word, end)), "")


def _ends_in(word: str, end: str) -> bool:
    """Whether a word is, or is composed with, one of the nouns whose plural is irregular: not so "olives"."""
    return word.endswith(end) and word.removesuffix(end) not in _ANY_OF["before_other_nouns"]


def _regular_singular(word: str) -> str:
    if word.endswith("ies") and word[:-1] not in _ANY_OF["in_ie"]:
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith("es") and not _keeps_its_e(word[:-1]) else word[:-1]


def _is_singular_in_s(word: str) -> bool:
    if word.endswith("us"):
        return word[:-1] not in _ANY_OF["in_u"] and not word.endswith("eaus")
    return word in _ANY_OF["singular_in_s"] or word.endswith(_FORMS["ends_of_singulars"])


def _keeps_its_e(one: str) -> bool:
    """Whether a noun ends in this -e ("rose", "axe"), and does not have it from its plural ("bus", "fox", "potato")."""
    if one.endswith("se"):
        return (
            one in _IN_SE
            or one.endswith(_FORMS["compound_ends"])
            or not (_is_singular_in_s(one[:-1]) or one[-3:-2] in ("u", "s"))
        )
    if one.endswith(("che", "she", "xe")):
        return one in _ANY_OF["in_che"] or one in _ANY_OF["in_xe"]
    if one.endswith("ze"):
        return one[:-1] not in _ANY_OF["in_z"]
    return not one.endswith("oe") or one in _ANY_OF["in_oe"]


def _regular_plural(word: str) -> str:
    if word.endswith("sis"):
        return f"{word[:-2]}es"
    if word.endswith("y") and len(word) > 2 and (word[-2] not in _VOWELS or word.endswith("quy")):
        return f"{word[:-1]}ies"
    hisses = word.endswith(("s", "ch", "sh", "x", "z")) and not word.endswith(_FORMS["hard_ch"])
    return f"{word}es" if hisses or word in _ANY_OF["oes"] else f"{word}s"
