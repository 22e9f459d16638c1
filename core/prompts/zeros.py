"""Things that a prompt asks for none of. Models draw them all the same, and no map of nothing can be steered to."""

from __future__ import annotations

from .grammar_words import NOT_THINGS
from .noun_phrase import read_noun_phrase
from .numbers import read_number
from .plurals import is_plural
from .words import split_words


def find_zeros(text: str) -> tuple[str, ...]:
    """Plural nouns of `text` that a zero stands before, with their adjectives, each once: "red circles" of "0 red circles".

    A singular one is part of another word: "zero gravity".
    """
    words, found = split_words(text), []
    for start in range(len(words)):
        number = read_number(words, start)
        if number is None or number[0] != 0:
            continue
        phrase = read_noun_phrase(words, number[1], True)
        if phrase.noun and is_plural(phrase.noun[-1].text) and phrase.noun[-1].text not in NOT_THINGS:
            found.append(" ".join(word.text for word in (*phrase.attributes, *phrase.noun)))
    return tuple(dict.fromkeys(found))
