"""Reads counted nouns in Chinese, by the words of `chinese_words`."""

from __future__ import annotations

import re

from ...mentions import Mention
from ...notes import Kind
from ..tables import either
from . import chinese_words as word
from .chinese_noun import HAN, Phrase, read_noun
from .phrases import LONGEST_CLAUSE, LONGEST_NOUN, MARK, NUMERAL, RANGE, Find, say, value_of

_NONE, _VAGUE, _HUNDREDS, _IDIOMS, _SIBLINGS, _BOUNDS, _BARE, _BEHIND_PEOPLE, _BEHIND_NONE = (
    either(word.WORDS[name])
    for name in ("none", "vague", "hundreds", "idioms", "siblings", "bounds", "bare", "behind_people", "behind_none")
)
PATTERN = re.compile(
    rf"(?=[\u3007\u3400-\u9fff0-9０-９])(?:(?<![^\s{MARK}])(?P<listed>{HAN}{{1,8}})\s?[x×*]\s?(?P<times>\d{{1,3}})(?!\d)"
    rf"|(?P<vague>{_VAGUE}|(?:{_HUNDREDS})(?P<of>{word.COUNTER})|一(?P<each>{word.COUNTER})(?:[又接]一)?(?P=each))"
    rf"|(?P<none>(?!无(?:{_BEHIND_NONE}))(?:{_NONE}))|(?P<idiom>{_IDIOMS})|(?P<home>一家)(?P<members>{NUMERAL})口"
    rf"|(?P<siblings>{_SIBLINGS})(?P<both>[俩仨])|(?P<twins>双胞胎|龙凤胎|三胞胎)"
    rf"|(?P<bound>{_BOUNDS})?(?P<low>{NUMERAL}{RANGE})?(?<!\d)(?<!\d\.)(?P<number>{NUMERAL}|[几数俩仨])(?P<more>[多余来几])?"
    rf"\s?(?!{word.UNITS})(?:(?P<counter>{word.COUNTER})|(?=(?:{_BARE})(?!{_BEHIND_PEOPLE}))|(?<=[俩仨])))"
)
_BEFORE = re.compile(
    rf"(?P<sides>(?:左右|两侧|两旁|两边|两端|两头)(?:两[侧边旁])?各{HAN}{{0,3}})$|(?P<ordinal>第)$|(?P<formed>成)$|(?P<place>{word.PLACES})$"
    rf"|(?P<each>(?:每|各(?![种式类色地])){HAN}{{0,10}}|其中{HAN}{{0,2}})$"
)
_CLAUSE = re.compile(rf"(?:[{MARK}\s]|^)(?:一.)?(?P<clause>[^{MARK}\s]{{1,{LONGEST_NOUN}}})(?P<mark>[，,（(]?)\s?$")
_AND_ANOTHER = re.compile(rf"[和与、]{NUMERAL}{word.COUNTER}")
_FRAME = re.compile(rf"(?:{word.FRAMES})$")
_SETS = {"俩": 2, "仨": 3, "双": 2, "龙": 2, "三": 3}
"""Values of 俩, 仨, and of 双胞胎, 龙凤胎, 三胞胎 by their first letter."""
_LOOKS_BACK = 12  # letters
ANY_COUNTER, ANY_COUNTER_TRADITIONAL = "个", "個"


def find(text: str, match: re.Match[str], _previous: int) -> Find | None:
    """What a match of `PATTERN` in `text` asks for or says."""
    if match["listed"]:
        return Find(*match.span(), int(match["times"]), match.span("listed"))
    if match["home"]:
        return Find(*match.span(), value_of(match["members"]), match.span("home"))
    if match["siblings"]:
        return Find(*match.span(), _SETS[match["both"]], match.span("siblings"))
    if match["twins"]:
        noun = read_noun(text, match.start()).noun
        return Find(match.start(), noun[1], _SETS[match["twins"][0]], noun)
    if match["vague"] or match["none"]:
        noun = read_noun(text, match.end()).noun
        kind = Kind.VAGUE if match["vague"] else Kind.NONE
        is_thing = noun[0] < noun[1] and text[slice(*noun)] not in word.NOT_THINGS
        counter = next((match.span(name) for name in ("of", "each") if match[name]), ANY_COUNTER)
        return say(kind, match.span(), noun, "三", counter) if is_thing else None
    return Find(*match.span()) if match["idiom"] else _count(text, match)


def can_be_part(part: Mention, whole: Mention) -> bool:
    """Whether one may be told apart in the other: a young man in two actors, a black cat in three cats."""
    noun, of = (word.simplified(mention.noun[0].text) for mention in (part, whole))
    if noun != of and noun.endswith(of):
        return True
    people = tuple(word.PEOPLE)
    return of.endswith(word.WHOLES) and (noun.endswith(people) or not of.endswith(people))


def _count(text: str, match: re.Match[str]) -> Find | None:
    """A number with its counter."""
    counter, numeral = match["counter"] or "", match["number"]
    place = _BEFORE.search(text, max(match.start() - _LOOKS_BACK, 0), match.start())
    before = place.lastgroup if place else ""
    if before == "ordinal" or numeral[0] in "百千":
        return None
    phrase = _phrase(text, match, counter)
    name = text[slice(*phrase.noun)]
    if phrase.is_empty or name in word.NOT_THINGS:
        return None
    value = _SETS.get(numeral) or (0 if numeral in "几数" else value_of(numeral))
    if kind := _uncounted(match, value):
        return say(kind, match.span(), phrase.noun, match.span("number") if value else "三", match.span("counter"))
    if counter in word.GROUPS and not name.endswith(word.GROUPS[counter]):
        is_vague = value == 1 and before != "formed"  # "排成一列"
        return say(Kind.VAGUE, match.span(), phrase.noun, "三", ANY_COUNTER) if is_vague else None
    if before == "each" or _is_no_thing(text, phrase, counter) or (value == 1 and _is_around(text, phrase, before)):
        return Find(*match.span())
    noun, times = phrase.noun, word.COUNTERS.get(counter, 1) * (2 if before == "sides" else 1)
    end = noun[1] if noun[0] == match.end() else match.end()  # a clause between them has numbers of its own
    return Find(min(match.start(), noun[0]), end, value * times, noun, phrase.attributes)


def _uncounted(match: re.Match[str], value: int) -> Kind | None:
    """Why a number is only said; None where it counts."""
    numeral = match["number"]
    if match["bound"] or (match["more"] and value):
        return Kind.BOUND
    if value and not match["low"]:
        return None
    if numeral.strip("0０零〇"):
        return Kind.VAGUE if numeral in "几数" and not match["low"] else Kind.RANGE
    return Kind.ZERO


def _is_no_thing(text: str, phrase: Phrase, counter: str) -> bool:
    """Whether a counter does not count a noun, or counts parts of one thing: "一头长发", "三只耳朵的兔子"."""
    name = text[slice(*phrase.noun)]
    has_parts = any(text[slice(*span)] in word.PARTS for span in phrase.attributes)
    is_of_noun = name in word.PARTS and text.startswith("的", phrase.noun[1])
    return has_parts or is_of_noun or name.endswith(word.WRONG_FOR.get(counter, ("\0",)))


def _is_around(text: str, phrase: Phrase, before: str | None) -> bool:
    """Whether one of a noun is where things are, the picture itself, or a part of something: "一双大眼睛，"."""
    name, following = text[slice(*phrase.noun)], text[phrase.noun[1] : phrase.noun[1] + 1]
    is_part = name in word.PARTS and not re.match(HAN, following)
    return before == "place" or following in ("里", "内") or is_part or _FRAME.search(name) is not None


def _phrase(text: str, match: re.Match[str], counter: str) -> Phrase:
    """The noun that a number counts: behind its counter, or before the number as in "黑猫三只"."""
    phrase = read_noun(text, match.end(), counter)
    if text[slice(*phrase.noun)].endswith("色") and (other := _AND_ANOTHER.match(text, phrase.noun[1])):
        shared = read_noun(text, other.end(), counter)  # "两个红色和三个蓝色的气球"
        return Phrase(shared.noun, (phrase.noun,)) if shared.attributes else phrase
    if phrase.is_empty and counter:
        before = _noun_before(text, match)
        return read_noun(text, match.end(), counter, 1) if before.is_empty else before
    return phrase


def _noun_before(text: str, match: re.Match[str]) -> Phrase:
    """The noun of "黑猫三只", "小笼包，八个，" or "苹果（3个）", which no verb parts from its count."""
    offset = max(match.start() - LONGEST_CLAUSE, 0)
    clause = _CLAUSE.search(text[offset : match.start()])
    if clause and not (clause["mark"] and text[match.end() : match.end() + 1].strip("，,。. \n）)")):
        phrase = read_noun(text, offset + clause.start("clause"))
        if phrase.noun[1] == offset + clause.end("clause") and not text[slice(*phrase.noun)].isascii():
            return phrase
    return Phrase((match.start(), match.start()))
