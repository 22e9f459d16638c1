"""Lettering: what stands in quotation marks is drawn as letters, not as things."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from .languages.east_asian.reading import LETTERS
from .words import Span, Word

# An apostrophe is a mark only behind a word for writing ("the dogs' bowls", "a sign that says 'two dogs'"), and around letters
# of Chinese, Japanese and Korean.
_MARKS = ('""', "“”", "„“", "„”", "«»", "»«", "‘’", "「」", "『』")
_QUOTED = re.compile(
    "|".join(f"{opening}([^{closing}\n]{{1,300}}){closing}" for opening, closing in map(tuple, _MARKS))
    + r"|\b(?:says|say|reads|reading|saying|words?|text|titled?|labell?ed|written|called)\s'([^'\n]{1,300})'"
    + rf"|(?<!\w)'([^'\n]{{0,300}}[{LETTERS}][^'\n]{{0,300}})'"
)


@dataclass(frozen=True)
class Lettering:
    """Words of a prompt, sorted.

    Attributes:
        outside: those that stand in no quotation marks; the marks themselves stay.
        inside: what stands in marks, with its words.
        spans: where that stands.
    """

    outside: list[Word]
    inside: list[tuple[str, list[Word]]]
    spans: list[Span]


def quoted_spans(text: str) -> list[Span]:
    """Where lettering stands, without its marks; nowhere if more than half of a text is in marks, as a whole prompt may be."""
    spans = [
        next(found.span(group) for group in range(1, len(found.groups()) + 1) if found[group])
        for found in _QUOTED.finditer(text)
    ]
    is_a_prompt = sum(end - start for start, end in spans) > len(text.strip()) * _MOST
    return [] if is_a_prompt and not _WRITTEN.search(text) else spans


_MOST = 0.6
_WRITTEN = re.compile(
    r"\b(?:says?|saying|reads|reading|words?|text|titled?|labell?ed|written|sign|poster|logo)\b", re.IGNORECASE
)


def read_lettering(text: str, words: Sequence[Word]) -> Lettering:
    """Sort the words of `text`."""
    spans = quoted_spans(text)
    outside: list[Word] = []
    inside: list[tuple[str, list[Word]]] = [(text[start:end], []) for start, end in spans]
    at = 0
    for word in words:
        while at < len(spans) and word.start >= spans[at][1]:
            at += 1
        (inside[at][1] if at < len(spans) and word.start >= spans[at][0] else outside).append(word)
    return Lettering(outside, inside, spans)
