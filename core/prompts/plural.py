"""The plural of a noun: counters know things by it."""

from __future__ import annotations

from .plurals import IRREGULAR, SAME_IN_BOTH, is_plural

_PLURALS = {one: many for many, one in reversed(IRREGULAR.items())}
_NOT_A_MAN = ("human", "german", "roman", "shaman", "talisman", "ottoman", "caiman", "norman", "walkman")
_VOWELS = "aeiou"


def plural(word: str) -> str:
    """Plural of a lower-case noun; for several words, of the last one. A plural noun comes back unchanged."""
    for mark in (" ", "-"):
        if mark in word:
            head, _, last = word.rpartition(mark)
            return f"{head}{mark}{plural(last)}"
    if word in _PLURALS:
        return _PLURALS[word]
    if word in SAME_IN_BOTH or is_plural(word):
        return word
    if word.endswith("man") and not word.endswith(_NOT_A_MAN):
        return f"{word[:-3]}men"
    if word.endswith(("s", "ch", "sh", "x", "z")):
        return f"{word}es"
    if word.endswith("y") and len(word) > 2 and word[-2] not in _VOWELS:
        return f"{word[:-1]}ies"
    return f"{word}s"
