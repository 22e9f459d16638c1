"""What a prompt asks for none of: "no dogs", "without any people", "0 cats". It is said, and counts nothing."""

from __future__ import annotations

from ...notes import Kind
from .noun_phrase import NounPhrase, read_noun_phrase
from .numbers import MAX_COUNT, read_number
from .uncounted import is_counted_noun, plural_of
from .vocabulary import NOT_THINGS, word_set
from .walk import Walk
from .word_kinds import is_boundary

_NEGATIONS = word_set("negations")
_LISTED = frozenset(["and", "or", "nor", "any", "a", "an", "the"])
_IN_PLACE_OF = {"instead": "of", "rather": "than"}


def read_negated(walk: Walk, index: int) -> int:
    """Index behind the bare noun of "no dogs" or "without any people"; 0 where none stands at `index`."""
    text, before = walk.text(index), walk.text(index - 1)
    if text in _NEGATIONS or _IN_PLACE_OF.get(before) == text:
        walk.negated = index - (before in _IN_PLACE_OF)
    elif text not in _LISTED:
        walk.negated = -1
    following = index + (text in _NEGATIONS | _LISTED)
    if walk.negated < 0 or is_boundary(walk.text(following) or "."):
        return 0
    phrase = read_noun_phrase(walk.words, following, True)
    say_negated(walk, index, phrase)
    return phrase.after if is_counted_noun(phrase) else 0


def say_negated(walk: Walk, index: int, phrase: NounPhrase) -> None:
    """Say that a phrase behind a negation counts nothing."""
    if is_counted_noun(phrase):
        walk.say(Kind.NONE, walk.negated, phrase.after, phrase.text)


def read_zero(walk: Walk, index: int) -> int:
    """Index behind "0 red circles", which cannot be steered to, or behind a number above `MAX_COUNT`; 0 where none is."""
    number = read_number(walk.words, index)
    if number is not None and number[0] > MAX_COUNT:
        return number[1]
    if number is None or number[0] != 0:
        return 0
    phrase = read_noun_phrase(walk.words, number[1], True)
    if not is_counted_noun(phrase) or phrase.head in NOT_THINGS:
        return 0
    walk.say(Kind.ZERO, index, phrase.after, plural_of(phrase))
    return phrase.after
