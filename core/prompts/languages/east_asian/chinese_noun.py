"""Finds the noun of a Chinese phrase behind a number and its counter, and what describes it.

The phrase is cut into words, each the longest that is known there. The noun ends behind the name of a thing, or where a verb, a
preposition or a mark begins; "的" and a clause before it describe the noun that follows.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ...words import Span
from . import chinese_words as word
from .chinese_words import Part
from .phrases import LONGEST_CLAUSE, LONGEST_NOUN, NUMERAL, STRETCH

HAN = "[\u3400-\u9fff]"
_ADJECTIVE = re.compile(rf"(?:{word.ADJECTIVES})(?=.)")
_PICTURE = re.compile(rf"(?:{word.FRAMES}|{word.BESIDE})")
_IDIOM = re.compile(rf"(?P<one>[^{''.join(word.DOUBLED)}])(?P=one)(?!的)|(?P<two>.).(?P=two).")  # 亭亭玉立, 若隐若现
_NAME = re.compile(rf"[A-Za-z][A-Za-z0-9-]*|[A-Za-z0-9-]+(?={HAN})")
_MODEL = re.compile(rf"-?\d+(?={HAN})(?!\d*(?:{word.COUNTER}|[男女]))")  # 歼-20战斗机
_NUMBERED = re.compile(rf"{NUMERAL}(?!{word.UNITS})(?:{word.COUNTER}|[男女])")
_LETTER = re.compile(rf"(?![着了过在]){HAN}")
_ENDS = frozenset(Part) - {Part.THING, Part.NOUN, Part.NAME, Part.LETTER}
_LONGEST_END = 3  # letters behind a thing that name it with it
_LONGEST_WORD = 5
_VERB_LETTERS = 2  # of most verbs
_LONGEST_ADJECTIVE = 4  # letters; a longer description does not tell objects apart


@dataclass(frozen=True)
class Phrase:
    """A noun, which may be empty, and what describes it."""

    noun: Span
    attributes: tuple[Span, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether there is no noun."""
        return self.noun[0] == self.noun[1]


def read_noun(text: str, start: int, counter: str = "", skipped: int = 0) -> Phrase:
    """The phrase that begins at `start`.

    Args:
        counter: what counts the noun.
        skipped: letters that belong to the noun where they could also be a verb: "飞天", "吊灯".
    """
    stretch = STRETCH.match(text, start, start + LONGEST_CLAUSE)
    walk = _Walk(text, start, stretch.end() if stretch else start, counter)
    if skipped and walk.begins_as_verb():
        walk.at += skipped
    return walk.read()


class _Walk:
    def __init__(self, text: str, start: int, end: int, counter: str) -> None:
        self.text, self.counter = text, counter
        self.begin = self.at = start
        self.end = end  # of the stretch, then of the noun
        self.attributes: list[Span] = []
        self.before = Part.LETTER  # what stands before `at`

    def read(self) -> Phrase:
        while self.at < self.end:
            part, after = self._piece(self.at)
            if begin := self._behind_description(part, after):
                self.begin = self.at = begin
            else:
                self.end = self._end(part, after)
                self.at = after
            self.before = part
        while adjective := _ADJECTIVE.match(self.text, self.begin, self.end):
            self.attributes.append(adjective.span())
            self.begin = adjective.end()
        end = self._without_verb(self.end) if self.end - self.begin <= LONGEST_NOUN else self.begin
        short = (span for span in self.attributes if span[1] - span[0] <= _LONGEST_ADJECTIVE)
        return Phrase((self.begin, end), tuple(short))

    def _without_verb(self, end: int) -> int:
        """Where a noun ends before a verb of two letters that no table has: "厨师颠簸"; of "鲤鱼洄游" one letter is known."""
        text, begin = self.text, max(self.begin, end - _LONGEST_WORD)
        letters = _VERB_LETTERS - (word.LEXICON.get(text[end : end + 1]) is Part.VERB)
        is_noun = any(word.LEXICON.get(text[at:end]) in (Part.THING, Part.NOUN) for at in range(begin, end))
        is_word = is_noun or text[end - 1 : end].isascii()
        if end - self.begin <= letters or is_word or text[end - 1] in word.NOUN_ENDS:
            return end
        return end - letters if text[end - letters - 1] in word.NOUN_ENDS else end

    def begins_as_verb(self) -> bool:
        """Whether a verb stands here, with another letter behind it."""
        if self.at >= self.end:
            return False
        part, after = self._piece(self.at)
        return part in (Part.ACT, Part.VERB) and _LETTER.match(self.text, after, self.end) is not None

    def _piece(self, at: int) -> tuple[Part, int]:
        """What the word at `at` is, and where it ends."""
        text, end = self.text, self.end
        for size in word.LENGTHS.get(text[at], ()):
            if size <= end - at and (part := word.LEXICON.get(text[at : at + size])):
                return part, at + size
        if idiom := _IDIOM.match(text, at, end):
            return Part.VERB, idiom.end()
        letter, following = text[at], text[at + 1 : min(at + 2, end)]
        if letter in word.BODY and following in word.HOLDS:
            return Part.HOLD, at + 2
        name = _MODEL.match(text, at, end) or (_NAME.match(text, at, end) if at == self.begin else None)
        if name:
            return Part.NAME, name.end()
        if letter.isspace() or letter.isascii() or _NUMBERED.match(text, at, end):
            return Part.MARK, at + 1
        part = word.LEXICON.get(letter, Part.LETTER)
        ends_verb = following in word.COMPLEMENTS and text[at + 1 : min(at + 3, end)] not in word.LEXICON
        return (Part.VERB, at + 2) if part is Part.LETTER and ends_verb else (part, at + 1)

    def _behind_description(self, part: Part, after: int) -> int:
        """Index behind a "的" that ends what describes the noun, by the word that ends at `after`; 0 where it is none."""
        text, is_first = self.text, self.text[self.begin : self.at].isascii()
        if part is Part.OF and self.begin < self.at:
            if self.counter not in word.OF_PICTURES and _PICTURE.match(text, after, self.end):
                return 0
            self.attributes.append((self.begin, self.at))
            return after
        is_place = part is Part.SIDE and self.counter in word.OF_LIVING and text.startswith("的", after)
        if is_place and self.begin < self.at:
            self.attributes.append((self.begin, after))  # "病床上的少年"
            return after + 1
        is_verb = is_first or (part is Part.ASPECT and self.at == self.begin + 1)
        if part in _ENDS - {Part.SIDE, Part.OF} and is_verb:  # "撑着伞的行人"
            return text.find("的", after, self.end) + 1
        return 0

    def _end(self, part: Part, after: int) -> int:
        """Where the noun ends at the latest, by the word that ends at `after`."""
        if part is Part.HOLD and self.begin == self.at:
            return self.at + 1  # "两只手捧着"
        if part is Part.THING:
            is_owner = self.begin == self.at and self.text.startswith("的", after)  # "四个窗户的房子"
            return after if is_owner or not self._goes_on(after) else self.end
        if part not in _ENDS or self._is_letter(part, after):
            return self.end
        is_of_verb = part is Part.ASPECT and self.before is Part.LETTER and self.at > self.begin + 1  # "孤雁掠过"
        return self.at - is_of_verb

    def _goes_on(self, at: int) -> bool:
        """Whether a noun goes on behind a thing that ends at `at`: "苹果树", "兔子玩偶"."""
        if at >= self.end:
            return True
        part, after = self._piece(at)
        if part in (Part.THING, Part.NOUN, Part.OF, Part.SIDE):
            return True
        can_go_on = part is Part.LETTER or (part is Part.ACT and self.text[self.at : at] not in word.PEOPLE)
        is_letter = can_go_on and self.text[at] in word.GO_ON and not self.text.startswith(_BEHIND_A_VERB, after)
        return is_letter or self.text.startswith(word.GO_ON_WORDS, at) or self._is_compound(at)

    def _is_compound(self, at: int) -> bool:
        """Whether a lifeless thing names another, which is all that is left: "草莓慕斯"; or its adjective follows."""
        if self.text[self.at : at] in word.LIVING:
            return False
        if _ADJECTIVE.match(self.text, at, self.end):  # "圆形白色瓷盘"
            return True
        if self.end - at > _LONGEST_END:
            return False
        while at < self.end:
            part, at = self._piece(at)
            if part is not Part.LETTER:
                return False
        return True

    def _is_letter(self, part: Part, after: int) -> bool:
        """Whether what could end a noun is a letter of it."""
        if part is Part.SIDE:
            return self.begin == self.at
        if part is Part.ACT and self.begin < self.at:
            following, behind = self._piece(after) if after < self.end else (Part.OF, after)
            if following in (Part.OF, Part.JOINT) or self.text[after:behind] in word.PEOPLE:  # "信封", "速滑选手"
                return True
        is_second = after == self.at + 1 == self.begin + 2
        return is_second and part in (Part.ACT, Part.VERB) and self.text[self.begin] not in word.ONE_LETTER


_BEHIND_A_VERB = ("着", "了", "过", "满", "在", "有")
