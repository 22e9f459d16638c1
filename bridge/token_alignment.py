"""Aligns a prompt with the characters that a tokenizer made of it."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from difflib import SequenceMatcher

from ..core.prompts.words import Span
from .token_characters import UNKNOWN, TokenCharacter


class Alignment:
    """Which tokens each character of a prompt came from."""

    def __init__(
        self, offsets: Sequence[int], matches: Sequence[int | None], characters: Sequence[TokenCharacter]
    ) -> None:
        self._offsets = offsets  # prompt offset of each compared character
        self._matches = matches  # index into `characters` of each compared character
        self._characters = characters

    def positions(self, span: Span) -> set[int]:
        """Token positions of the prompt's characters in `span`; empty where its tokens are not all there."""
        inside = [index for index, offset in enumerate(self._offsets) if span[0] <= offset < span[1]]
        matches = [self._matches[index] for index in inside]
        if not inside or None in matches:
            return self._unknown_between(inside)
        return {position for match in matches if match is not None for position in self._characters[match].positions}

    def _unknown_between(self, inside: Sequence[int]) -> set[int]:
        """Tokens where the vocabulary has no piece for a word: the gap between its neighbours, if it holds an unknown token."""
        if not inside:
            return set()
        before = [match for match in self._matches[: inside[0]] if match is not None]
        after = [match for match in self._matches[inside[-1] + 1 :] if match is not None]
        gap = self._characters[before[-1] + 1 if before else 0 : after[0] if after else len(self._characters)]
        if not any(character.text == UNKNOWN for character in gap):
            return set()
        return {position for character in gap for position in character.positions}


def align(prompt: str, characters: Sequence[TokenCharacter]) -> Alignment:
    """Align `prompt` with the characters of its tokens, whatever the tokenizer changed, dropped or added.

    Spaces, case, accents and compatibility forms are left out of the comparison; what differs beyond that is stepped over.
    """
    left = [(form, offset) for offset, letter in enumerate(prompt) for form in comparable(letter)]
    right = [(form, index) for index, item in enumerate(characters) for form in comparable(item.text)]
    forms = "".join(form for form, _ in left), "".join(form for form, _ in right)
    matches: list[int | None] = [None] * len(left)
    for block in SequenceMatcher(None, *forms, autojunk=False).get_matching_blocks():
        for step in range(block.size):
            matches[block.a + step] = right[block.b + step][1]
    return Alignment([offset for _, offset in left], matches, characters)


def comparable(letter: str) -> str:
    """A letter without case, accents and spaces; one letter may become several or none."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold())
    return "".join(form for form in plain if not form.isspace() and not unicodedata.combining(form))
