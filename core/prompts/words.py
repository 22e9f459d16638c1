"""Words of a prompt with their places in the text."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

from .languages.tables import Phrases
from .plurals import is_plural

Span = tuple[int, int]

_MARKS = "".join(chr(code) for code in range(0x300, 0x1E00) if unicodedata.category(chr(code))[0] == "M")
_SOFT = "\u00ad\u200b-\u200d\u2060\ufeff"  # soft hyphens and characters without width, which a copied text brings along
_LETTER = rf"(?:[^\W\d_]|[{_MARKS}{_SOFT}])"  # accents and vowel signs belong to the letter before them
_WORD = re.compile(
    rf"\d{{1,2}}\+(?={_LETTER}{{3}})|\d+(?:[.,:/]\d+)*(?:-?{_LETTER}+)*|{_LETTER}+(?:['’]{_LETTER}+|-[^\W_]+)*"
    r"|\n|[^\w\s\[\]]|(?<![^\W_])_|_(?![^\W_])",  # square brackets weigh words down and mean nothing else
)
_TAG = re.compile(rf"(\d{{1,2}})-?({_LETTER}{{3,}})")  # "2girls", "1boy": the way image boards write counts
_NO_TAGS = frozenset(
    "fps lbs kgs cms mms secs mins yrs hrs pts pcs nds ths day man-made bit mph dpi ppi iso gb mb khz".split()
)
_MASKED = re.compile(r"\bembedding:[^\s,)]+|\bBREAK\b|<[^<>\s]+>")
_EDGES = re.compile(f"^[{_SOFT}]+|[{_SOFT}]+$")
_INSIDE = re.compile(f"[{_SOFT}]")


@dataclass(frozen=True)
class Word:
    """One word, number or punctuation mark.

    Attributes:
        text: lower case, with a plain apostrophe and without soft hyphens.
        start: where it begins in the prompt.
        end: where it ends, exclusive.
        capital: whether it begins with a capital letter.
    """

    text: str
    start: int
    end: int
    capital: bool = False

    @property
    def is_punctuation(self) -> bool:
        """Whether it is neither a word nor a number."""
        return not self.text[0].isalnum()


def text_at(words: Sequence[Word], index: int) -> str:
    """Text of the word at `index`; empty where there is none."""
    return words[index].text if 0 <= index < len(words) else ""


def phrase_end(words: Sequence[Word], start: int, phrases: Phrases) -> int:
    """Index behind the longest of the phrases that stands at `words[start]`; 0 where none does."""
    for phrase in phrases.get(text_at(words, start), ()):
        if all(text_at(words, start + at) == part for at, part in enumerate(phrase)):
            return start + len(phrase)
    return 0


def said_of(words: Sequence[Word], start: int, after: int) -> str:
    """The words from `start` to before `after` as they stand, but for their spaces."""
    parts = [words[start].text]
    for before, word in zip(words[start:], words[start + 1 : after], strict=False):
        parts.append(word.text if before.end == word.start else f" {word.text}")
    return "".join(parts)


def split_words(text: str) -> list[Word]:
    """Words, numbers and punctuation marks of `text`, in order; entries like "embedding:name" count as a full stop."""
    masked = _MASKED.sub(lambda found: "." * len(found.group()), text)
    words: list[Word] = []
    is_plain = _INSIDE.search(masked) is None
    for found in _WORD.finditer(masked):
        words += [
            _word(masked, start, end)
            for start, end in _pieces(found)
            if is_plain or not _EDGES.fullmatch(masked[start:end])
        ]
    return words


def _pieces(found: re.Match[str]) -> list[Span]:
    """A word as it is; count and noun of a tag."""
    text, (start, end) = found.group(), found.span()
    tag = _TAG.fullmatch(text)
    if tag and _is_tag(tag[1], tag[2].lower(), "-" in text):
        return [(start, start + len(tag[1])), (start + tag.start(2), end)]
    return [(start, end)]


def _is_tag(count: str, noun: str, is_hyphened: bool) -> bool:
    """One of anything, or several of what can be a plural: "1cat", "2men", but neither "35mm" nor "3-piece"."""
    if noun in _NO_TAGS:
        return False
    return is_plural(noun) if is_hyphened or int(count) != 1 else True


def _word(text: str, start: int, end: int) -> Word:
    for edge in _EDGES.finditer(text[start:end]):
        start, end = (start + edge.end(), end) if edge.start() == 0 else (start, end - len(edge.group()))
    plain = _INSIDE.sub("", text[start:end])
    if len(plain) > 1:
        plain = plain.removesuffix("+")  # of "6+girls"
    return Word(plain.lower().replace("’", "'"), start, end, plain[:1].isupper())
