"""Counts that stand behind their noun, as lists and tags have them: "cats x3", "cats (3)", "cats: 3"."""

from __future__ import annotations

from collections.abc import Sequence

from ...mentions import Mention
from ...plurals import is_plural
from ...words import Word
from .determiners import PARAMETERS
from .noun_phrase import NounPhrase, read_noun_phrase
from .numbers import MAX_COUNT
from .vocabulary import NAMED_BY_NUMBER, NOT_THINGS
from .walk import Walk
from .word_kinds import is_boundary

_SIGNS = frozenset([":", "=", "(", "x", "×", "*"])
_MOST_WORDS = 4


def read_trailing_count(walk: Walk, start: int) -> int:
    """Index behind a noun with its number at the beginning of a clause; 0 where there is none."""
    words = walk.words
    if walk.clause.start != start:
        return 0
    if words[start].text == "number" and start + 2 < len(words) and words[start + 1].text == "of":
        start += 2
    number = next((at for at in range(start + 1, min(start + _MOST_WORDS + 2, len(words))) if _is_count(words, at)), 0)
    if not number or is_boundary(words[start].text):
        return 0
    sign = words[number - 1].text if words[number - 1].text in _SIGNS else ""
    named = words[start : number - bool(sign)]
    phrase = read_noun_phrase(named, 0, True)
    count = int(words[number].text.lstrip("x"))
    if not phrase.noun or phrase.after != len(named) or not 1 <= count <= MAX_COUNT:
        return 0
    after = number + 1 + (sign == "(" and number + 1 < len(words) and words[number + 1].text == ")")
    if not _names_things(phrase, words[number].text, sign) or (after < len(words) and not _ends(words[after])):
        return 0
    walk.mentions.append(Mention(count, phrase.noun, phrase.attributes))
    return after


def _is_count(words: Sequence[Word], at: int) -> bool:
    return words[at].text.removeprefix("x").isdecimal() and len(words[at].text) <= 5


def _names_things(phrase: NounPhrase, number: str, sign: str) -> bool:
    head = phrase.noun[-1]
    if head.text in NOT_THINGS | PARAMETERS | NAMED_BY_NUMBER:
        return False
    times = number.startswith("x") or sign in {"x", "×", "*"}
    is_name = not sign and len(phrase.noun) + len(phrase.attributes) > 1  # "dark souls 3"
    is_thing = is_plural(head.text) or sign == "("  # "dragon (2)"
    return times or (is_thing and not head.capital and not is_name)


def _ends(word: Word) -> bool:
    return word.is_punctuation or word.text in {"and", "plus"}
