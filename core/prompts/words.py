"""Words of a prompt with their places in the text."""

from __future__ import annotations

import re
from dataclasses import dataclass

Span = tuple[int, int]

_LETTER = r"(?:[^\W\d_]|[\u0300-\u036f])"  # combining accents belong to the letter before them
_WORD = re.compile(
    rf"\d+(?:[.,:/]\d+)*(?:-?{_LETTER}+)*|{_LETTER}+(?:['’]{_LETTER}+|-[^\W_]+)*|\n|[^\w\s]|_",
)
_TAG = re.compile(rf"(\d{{1,2}})(boys?|{_LETTER}{{4,}})")  # "2girls", "1boy": the way image boards write counts
_MASKED = re.compile(r"\bembedding:[^\s,)]+|\bBREAK\b|<[^<>\s]+>")


@dataclass(frozen=True)
class Word:
    """One word, number or punctuation mark.

    Attributes:
        text: lower case, with a plain apostrophe.
        start: where it begins in the prompt.
        end: where it ends, exclusive.
    """

    text: str
    start: int
    end: int

    @property
    def is_punctuation(self) -> bool:
        """Whether it is neither a word nor a number."""
        return not self.text[0].isalnum()


def split_words(text: str) -> list[Word]:
    """Words, numbers and punctuation marks of `text`, in order; entries like "embedding:name" count as a full stop."""
    masked = _MASKED.sub(lambda found: "." * len(found.group()), text)
    words: list[Word] = []
    for found in _WORD.finditer(masked):
        tag = _TAG.fullmatch(found.group())
        pieces = [tag.span(1), tag.span(2)] if tag else [(0, len(found.group()))]
        for start, end in pieces:
            piece = found.group()[start:end].lower().replace("’", "'")
            words.append(Word(piece, found.start() + start, found.start() + end))
    return words
