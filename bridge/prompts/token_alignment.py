"""Aligns a prompt with the characters that a tokenizer made of it."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import lru_cache
from itertools import pairwise

from ...core.prompts import Span
from .token_characters import UNKNOWN, TokenCharacter

_WHOLE = 2_000  # compared characters up to which two texts are compared as a whole; that takes the square of them
_ANCHOR = 24  # characters in a row by which a place is found again
_APART = 500  # characters between two anchors at least
_WINDOWS = (64, 1_000)  # characters that are compared at once where there are no anchors

Block = tuple[int, int, int]
"""Where a piece that two texts share begins in the one and in the other, and its length."""


class Alignment:
    """Which tokens each character of a prompt came from."""

    def __init__(
        self, offsets: Sequence[int], matches: Sequence[int | None], characters: Sequence[TokenCharacter]
    ) -> None:
        self._offsets = offsets  # prompt offset of each compared character, in order
        self._matches = matches  # index into `characters` of each compared character
        self._matched = [index for index, match in enumerate(matches) if match is not None]
        self._characters = characters

    def positions(self, span: Span) -> set[int]:
        """Token positions of the prompt's characters in `span`; empty where its tokens are not all there."""
        first, end = (bisect_left(self._offsets, offset) for offset in span)
        if first == end:
            return set()
        matches = self._matches[first:end]
        if None in matches:
            return self._unknown_between(first, end)
        return {position for match in matches if match is not None for position in self._characters[match].positions}

    def _unknown_between(self, first: int, end: int) -> set[int]:
        """Tokens where the vocabulary has no piece for a word: the gap between its neighbours, if it holds an unknown token."""
        before, after = bisect_left(self._matched, first), bisect_left(self._matched, end)
        start = self._match(before - 1) + 1 if before else 0
        stop = self._match(after) if after < len(self._matched) else len(self._characters)
        gap = self._characters[start:stop]
        if not any(character.text == UNKNOWN for character in gap):
            return set()
        return {position for character in gap for position in character.positions}

    def _match(self, place: int) -> int:
        return self._matches[self._matched[place]] or 0


def align(prompt: str, characters: Sequence[TokenCharacter], on_piece: Callable[[], None] | None = None) -> Alignment:
    """Align `prompt` with the characters of its tokens, whatever the tokenizer changed, dropped or added.

    Spaces, case, accents and compatibility forms are left out of the comparison; what differs beyond that is stepped over.

    Args:
        on_piece: called now and then. What it raises ends the comparison.
    """
    left = [(form, offset) for offset, letter in enumerate(prompt) for form in comparable(letter)]
    right = [(form, index) for index, item in enumerate(characters) for form in comparable(item.text)]
    forms = "".join(form for form, _ in left), "".join(form for form, _ in right)
    matches: list[int | None] = [None] * len(left)
    for start, other, size in shared_blocks(*forms, on_piece):
        for step in range(size):
            matches[start + step] = right[other + step][1]
    return Alignment([offset for _, offset in left], matches, characters)


@lru_cache(4096)
def comparable(letter: str) -> str:
    """A letter without case, accents and spaces; one letter may become several or none."""
    plain = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", letter).casefold())
    return "".join(
        form
        for form in plain
        if not (form.isspace() or unicodedata.combining(form) or unicodedata.category(form) == "Cf")  # soft hyphens
    )


def shared_blocks(one: str, other: str, on_piece: Callable[[], None] | None = None) -> Iterator[Block]:
    """What two texts share, in order, in a time that grows with their length.

    Texts of ordinary length are compared as a whole. Longer ones are cut where both have the same piece once, and
    compared between the cuts.
    """
    cuts = _cuts(one, other) if len(one) * len(other) > _WHOLE**2 else []
    for (start, begin), (end, stop) in pairwise([(0, 0), *cuts, (len(one), len(other))]):
        for first, second, size in _piecewise(one[start:end], other[begin:stop], on_piece):
            yield start + first, begin + second, size


def _cuts(one: str, other: str) -> list[tuple[int, int]]:
    """Places in `one` and `other`, both rising, where a piece begins that each of them has exactly once."""
    places, known = (_once(text) for text in (one, other))
    pairs = sorted((place, known[piece]) for piece, place in places.items() if piece in known)
    cuts: list[tuple[int, int]] = []
    for (start, begin), (after, behind) in pairwise(pairs):
        is_apart = not cuts or min(start - cuts[-1][0], begin - cuts[-1][1]) >= _APART
        if (
            is_apart and after - start == behind - begin
        ):  # a piece that stands elsewhere in `other` has no such neighbour
            cuts.append((start, begin))
    return cuts


def _once(text: str) -> dict[str, int]:
    pieces = [text[at : at + _ANCHOR] for at in range(len(text) - _ANCHOR + 1)]
    often = Counter(pieces)
    return {piece: at for at, piece in enumerate(pieces) if often[piece] == 1}


def _piecewise(one: str, other: str, on_piece: Callable[[], None] | None) -> Iterator[Block]:
    """Blocks of two texts. Where these are long, which only those that repeat themselves are, a window at a time."""
    start = begin = 0
    while start < len(one) and begin < len(other):
        if on_piece is not None:
            on_piece()
        if (len(one) - start) * (len(other) - begin) <= _WHOLE**2:
            yield from _compared(one, other, start, begin, max(len(one), len(other)))
            return
        same = _same_length(one, other, start, begin)
        yield start, begin, same
        start, begin = start + same, begin + same
        for size in _WINDOWS:
            sure = _sure_blocks(one, other, start, begin, size)
            ends = (sure[-1][0] + sure[-1][2], sure[-1][1] + sure[-1][2]) if sure else (start, begin)
            if max(ends[0] - start, ends[1] - begin) >= size // 2:
                break
        else:  # nothing alike for that long: step over it
            ends = start + size // 2, begin + size // 2
        yield from sure
        start, begin = ends


def _sure_blocks(one: str, other: str, start: int, begin: int, size: int) -> list[Block]:
    """Blocks of a window; near its end only long ones, since what a short one is like may stand behind it."""
    return [
        block
        for block in _compared(one, other, start, begin, size)
        if block[2] >= _ANCHOR or max(block[0] - start, block[1] - begin) + block[2] < size * 3 // 4
    ]


def _compared(one: str, other: str, start: int, begin: int, size: int) -> list[Block]:
    pieces = one[start : start + size], other[begin : begin + size]
    blocks = SequenceMatcher(None, *pieces, autojunk=False).get_matching_blocks()
    return [(start + block.a, begin + block.b, block.size) for block in blocks if block.size]


def _same_length(one: str, other: str, start: int, begin: int) -> int:
    """How many characters the texts share from these places on."""
    size, most = 0, min(len(one) - start, len(other) - begin)
    while size < most and one[start + size] == other[begin + size]:
        size += 1
    return size
