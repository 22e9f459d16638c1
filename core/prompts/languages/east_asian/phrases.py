"""What the readers of Chinese, Japanese and Korean share: numerals, marks, and what they give."""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...notes import Kind, Note
from ...words import Span

DIGITS = {letter: value for value, letters in enumerate(["〇零", "一壹", "二两兩", "三叁", "四", "五", "六", "七", "八", "九"])
          for letter in letters}  # fmt: skip
SCALES = {"十": 10, "百": 100, "千": 1000}
NUMERAL = r"(?:[0-9０-９]{1,4}|[一二两兩三四五六七八九十百千〇]{1,6})"
RANGE = r"(?:[-~～〜–—到至、,から]{1,2})"
PUNCTUATION = "，。、；：！？,.;:!?\n\t（）()【】[]「」『』“”\"'·・…—～|/"
MARK = re.escape(PUNCTUATION)
STRETCH = re.compile(rf"[^{MARK}]+")
LONGEST_NOUN = 16  # letters
LONGEST_CLAUSE = 60


def value_of(numeral: str) -> int:
    """The number that a numeral of digits or of Chinese letters writes; 0 where the letters write none ("两三")."""
    if numeral.isdecimal():
        return int(numeral)
    total = current = 0
    for letter in numeral:
        if letter in SCALES:
            total, current = total + max(current, 1) * SCALES[letter], 0
        elif current:
            return 0
        else:
            current = DIGITS[letter]
    return total + current


@dataclass(frozen=True)
class Said:
    """What is said of a phrase: where it stands, and what to write instead, as texts and as places of the prompt."""

    kind: Kind
    span: Span
    fix: tuple[str | Span, ...]

    def note(self, text: str) -> Note:
        """It in the letters of the prompt `text`."""
        fix = (piece if isinstance(piece, str) else text[slice(*piece)] for piece in self.fix)
        return Note(self.kind, text[slice(*self.span)], "".join(fix))


@dataclass(frozen=True)
class Find:
    """A numeral with its noun, or what is said of one; nothing of it is read again before `end`."""

    start: int
    end: int
    count: int = 0
    noun: Span = (0, 0)
    attributes: tuple[Span, ...] = ()
    said: Said | None = None


def say(kind: Kind, span: Span, noun: Span, *count: str | Span) -> Find:
    """A find that says `kind` of a phrase and its noun; `count` is what to write before the noun."""
    fix = (noun,) if kind in (Kind.NONE, Kind.ZERO) else (*count, noun)
    return Find(*span, said=Said(kind, (span[0], max(span[1], noun[1])), fix))
