"""Singular and plural of English nouns, good enough for the nouns of prompts and the labels of detectors.

Rules and lists of our own: the library `inflect` takes a singular in -s for a plural ("octopus" becomes "octopu"), is right
less often on the pairs of tests/data/noun_pairs.txt, takes 0.2 ms a word, and brings three further packages.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

from . import noun_forms as forms

_PLURALS = {one: many for many, one in reversed(forms.IRREGULAR.items()) if many not in forms.SELDOM} | {
    "axis": "axes",
    "basis": "bases",
}
_IN_SE = forms.IN_USE | forms.IN_ASE | forms.IN_ISE | forms.IN_OSE
_ENDS_OF_PLURALS = {many: forms.IRREGULAR[many] for many in forms.COMPOUNDED} | {"men": "man"}
_ENDS_OF_PLURALS |= {f"{one.rstrip('e')[:-1]}ves": one for one in forms.IN_F}
"""How longer nouns end in the plural -> in the singular."""
_VOWELS = "aeiou"


@lru_cache(8_192)
def is_plural(word: str) -> bool:
    """Whether a lower-case word can be a plural noun ("mice", "sheep", "cats"), judged by its form alone."""
    last = word.rsplit("-", 1)[-1]
    if last in forms.IRREGULAR or last in forms.SAME_AS_PLURAL or last.endswith(("men", *forms.COMPOUNDED, "eaux")):
        return last not in forms.MEN_IN_ONE or last in forms.IRREGULAR
    return len(last) > 2 and last.endswith("s") and not _is_singular_in_s(last)


@lru_cache(8_192)
def singular(word: str) -> str:
    """Singular of a lower-case noun; for several words, of the last one. A singular noun comes back unchanged."""
    before, last = _last_word(word)
    if last in forms.IRREGULAR:
        return before + forms.IRREGULAR[last]
    if not is_plural(last) or last in forms.SAME_IN_BOTH:
        return word
    return before + (_with_other_end(last, _ENDS_OF_PLURALS) or _regular_singular(last))


def plural(word: str) -> str:
    """Plural of a lower-case noun; for several words, of the last one. A plural noun comes back unchanged."""
    before, last = _last_word(word)
    if last in _PLURALS:
        return before + _PLURALS[last]
    if last in forms.SAME_IN_BOTH or is_plural(last):
        return word
    ends = {one: many for many, one in _ENDS_OF_PLURALS.items() if one != "man" or not last.endswith(forms.NOT_A_MAN)}
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
    return word.endswith(end) and word.removesuffix(end) not in forms.BEFORE_OTHER_NOUNS


def _regular_singular(word: str) -> str:
    if word.endswith("ies") and word[:-1] not in forms.IN_IE:
        return f"{word[:-3]}y"
    return word[:-2] if word.endswith("es") and not _keeps_its_e(word[:-1]) else word[:-1]


def _is_singular_in_s(word: str) -> bool:
    if word.endswith("us"):
        return word[:-1] not in forms.IN_U and not word.endswith("eaus")
    return word in forms.SINGULAR_IN_S or word.endswith(forms.ENDS_OF_SINGULARS)


def _keeps_its_e(one: str) -> bool:
    """Whether a noun ends in this -e ("rose", "axe"), and does not have it from its plural ("bus", "fox", "potato")."""
    if one.endswith("se"):
        return (
            one in _IN_SE
            or one.endswith(forms.COMPOUND_ENDS)
            or not (_is_singular_in_s(one[:-1]) or one[-3:-2] in ("u", "s"))
        )
    if one.endswith(("che", "she", "xe")):
        return one in forms.IN_CHE or one in forms.IN_XE
    if one.endswith("ze"):
        return one[:-1] not in forms.IN_Z
    return not one.endswith("oe") or one in forms.IN_OE


def _regular_plural(word: str) -> str:
    if word.endswith("sis"):
        return f"{word[:-2]}es"
    if word.endswith("y") and len(word) > 2 and (word[-2] not in _VOWELS or word.endswith("quy")):
        return f"{word[:-1]}ies"
    hisses = word.endswith(("s", "ch", "sh", "x", "z")) and not word.endswith(forms.HARD_CH)
    return f"{word}es" if hisses or word in forms.OES else f"{word}s"
