"""Tells the language of words in Latin or Cyrillic letters."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence

from ..words import Word
from .grammar import SPACED, grammar_of

_CYRILLIC = re.compile("[а-яё]")
# English words that no other language here has; they weigh against the others.
_ENGLISH = frozenset(
    "the of and with on at is are an by from two three four five seven eight nine ten this that her his their photo next to "
    "for wearing sitting standing holding girl boy woman man cats dogs as many few several some least more than less".split()
)
# Words of other languages that are English words too. Common ones, however many, tell no language without another word ("In
# Paris, two astronauts in white suits"); rarer ones do where two stand together, but a single one makes no short text certain.
_TELL_NONE = frozenset("in i no do as die am six once per son sin photo".split())
_NOT_CERTAIN = frozenset("die des son sur dos per due sei que gli con sin com via pas plus sole foto".split())
_LEAST = 2  # words that tell a language; of a short text one, if none is English
_FEW = 12


def language_of(words: Sequence[Word]) -> str:
    """The language of words in Latin or Cyrillic letters: a key of `SPACED`, or "en"."""
    texts = Counter(piece for word in words for piece in word.text.split("'"))
    if _often(texts, _has_cyrillic) * 2 > _often(texts, str.isalpha):
        return "ru"
    grammars = {key: grammar_of(key) for key in SPACED}
    scores = {
        key: _often(texts, grammar.told_by.__contains__) + _often(texts, grammar.numbers.__contains__)
        for key, grammar in grammars.items()
    }
    if not (most := max(scores.values())):
        return "en"
    alike = [key for key, score in scores.items() if score == most]
    best = alike[0] if len(alike) == 1 else max(alike, key=lambda key: _looks_of(key, texts))
    english = _often(texts, _ENGLISH.__contains__)
    if scores[best] >= _LEAST and scores[best] > max(english, _often(texts, _TELL_NONE.__contains__)):
        return best
    is_sure = any(len(text) > 2 and text in grammars[best].told_by - _NOT_CERTAIN for text in texts)
    return best if is_sure and not english and texts.total() <= _FEW else "en"


def _often(texts: Counter[str], is_meant: Callable[[str], bool]) -> int:
    """How many of the words are meant, each as often as it stands in the text."""
    return sum(times for text, times in texts.items() if is_meant(text))


def _has_cyrillic(text: str) -> bool:
    return _CYRILLIC.search(text) is not None


def _looks_of(language: str, texts: Counter[str]) -> int:
    """How many words look like those of a language that shares many words with another."""
    signs = {"es": "ñ¿", "pt": "ãõç", "it": "àèìòù", "de": "äöüß", "fr": "êèçœâ"}.get(language, "")
    ends = {"it": ("i", "e"), "es": ("os", "as", "es"), "pt": ("os", "as", "es")}.get(language, ("\0",))
    return _often(texts, lambda text: any(sign in text for sign in signs)) * 2 + _often(
        texts, lambda text: text.endswith(ends)
    )
