"""Reads counted nouns in Korean, by the table "ko"."""

from __future__ import annotations

import re

from ...notes import Kind
from ...words import Span
from ..tables import either, read_table, values
from .phrases import LONGEST_CLAUSE, Find, Said, say

_WORDS, _NUMBERS, _COUNTERS = (
    read_table("ko")["words"],
    values(read_table("ko")["numbers"]),
    values(read_table("ko")["counters"]),
)
_TENS, _DETERMINERS, _NOUN_NUMERALS, _DESCRIBING, _ADJECTIVES, _NOUNS_LIKE_PARTICLES = (
    tuple(_WORDS[name].split())
    for name in ("tens", "determiners", "noun_numerals", "describing", "adjectives", "nouns_like_particles")
)
_UNITS, _BOUNDS, _BOUNDS_BEHIND, _PARTICLES = (
    either(_WORDS[name]) for name in ("units", "bounds", "bounds_behind", "particles")
)
_PARTS = frozenset(_WORDS["parts"].split())
_NUMBER = rf"(?:{'|'.join(_TENS)})?(?:{either(' '.join(_NUMBERS))})|[0-9]{{1,4}}"
PATTERN = re.compile(
    rf"(?<![가-힣])(?P<vague>{either(_WORDS['vague'])})\s"
    rf"|(?<![0-9A-Za-z.])(?:(?<![가-힣])|(?=[0-9]))(?P<bound>(?:{_BOUNDS})\s)?(?P<low>(?:{_NUMBER})(?:\s?[-~]\s?)?(?=[가-힣0-9]))??"
    rf"(?P<number>{_NUMBER}|몇|여러)(?:\s?(?!{_UNITS})(?P<counter>{either(' '.join(_COUNTERS))})"
    rf"(?P<of>의(?=\s))?(?P<particle>[가-힣]{{0,2}})(?![가-힣])|(?P<bare>)(?P<case>(?:{_PARTICLES})?)(?=\s|[,.]|$))"
)
_COUNT = re.compile(rf"\s(?:{_NUMBER})\s?(?:{either(' '.join(_COUNTERS))})")
_WORD = re.compile("[가-힣A-Za-z]+")
_LAST = re.compile(r"([가-힣A-Za-z]+)\s*$")
_PARTICLE = re.compile(rf"(?:{_PARTICLES})$")


def find(text: str, match: re.Match[str], previous: int) -> Find | None:
    """What a match of `PATTERN` in `text` asks for or says; what stands before `previous` was read."""
    if not match["vague"]:
        return _count(text, match, previous)
    noun = _noun_behind(text, match.end())
    return say(Kind.VAGUE, match.span(), noun, "세 ") if noun[0] < noun[1] else None


def _value(numeral: str) -> int:
    if numeral.isdecimal():
        return int(numeral)
    ten = next((ten for ten in _TENS if numeral.startswith(ten)), "")
    return _NUMBERS.get(ten, 0) + _NUMBERS.get(numeral.removeprefix(ten), 0)


def _count(text: str, match: re.Match[str], previous: int) -> Find | None:
    numeral, counter = match["number"], match["counter"] or ""
    if match["bare"] is not None:
        return _without_counter(text, match, previous)
    noun: Span = (0, 0)
    attributes: tuple[Span, ...] = ()
    if match["of"] and counter != "사람":
        noun = _noun_behind(text, match.end())
    if noun[0] == noun[1]:
        noun, attributes = _noun_before(text, previous, match.start())
    is_age = counter == "대" and numeral.isdecimal()  # "20대 여성"
    if noun[0] == noun[1] and not match["particle"] and counter != "사람" and not is_age:
        noun = _noun_behind(text, match.end())  # "두 마리 용이"
    if noun[0] == noun[1] and counter == "사람":
        noun = match.span("counter")
    if noun[0] == noun[1]:
        return None
    value = 0 if numeral in {"몇", "여러"} else _value(numeral)
    span = (min(match.start(), noun[0]), max(match.end(), noun[1]))
    behind = re.compile(rf"\s?(?:{_BOUNDS_BEHIND})").match(text, match.end("counter"))
    if match["bound"] or behind or match["low"] or not value:
        kind = Kind.BOUND if match["bound"] or behind else Kind.RANGE if match["low"] else Kind.VAGUE
        fix = (noun, " ", match.span("number") if value else "세", " ", counter)
        return Find(*span, said=Said(kind, span, fix))
    return Find(*span, value * _COUNTERS[counter], noun, attributes)


def _without_counter(text: str, match: re.Match[str], previous: int) -> Find | None:
    numeral = match["number"]
    if match["low"] or numeral.isdecimal():
        return None
    if numeral in _NOUN_NUMERALS and (match["case"] or not _WORD.match(text, match.end() + 1)):
        noun, attributes = _noun_before(text, previous, match.start())
        if noun[0] < noun[1]:
            return Find(noun[0], match.end(), _value(numeral), noun, attributes)
    if match["case"] or numeral in {"몇", "여러"} or numeral not in _DETERMINERS:
        return None
    noun = _noun_behind(text, match.end(), True)
    is_unit = re.match(rf"(?:{_UNITS})(?![가-힣])", text[slice(*noun)]) is not None
    is_part = text[slice(*noun)] in _PARTS or _COUNT.match(text, noun[1])  # "쌍둥이 자매 두 명"
    return None if noun[0] == noun[1] or is_unit or is_part else Find(match.start(), noun[1], _value(numeral), noun)


def _noun_behind(text: str, start: int, is_bare: bool = False) -> Span:
    """The noun of "두 명의 예쁜 소녀가": the first word behind that does not describe the next one.

    Args:
        is_bare: whether a number without a counter stands before: "두 사람의 뒷모습" has two people.
    """
    at = start
    for _ in range(4):
        while at < len(text) and text[at] == " ":
            at += 1
        word = _WORD.match(text, at)
        if not word:
            break
        if is_bare and len(word.group()) > 2 and word.group().endswith("의"):
            return word.start(), word.end() - 1
        if not _describes(word.group()) or text[word.end() : word.end() + 1] != " ":
            return word.start(), word.start() + len(_without_particle(word.group()))
        at = word.end()
    return start, start


def _noun_before(text: str, previous: int, end: int) -> tuple[Span, tuple[Span, ...]]:
    """The noun of "검은 고양이 세 마리", and what describes it."""
    stretch = text[max(previous, end - LONGEST_CLAUSE) : end]
    word = _LAST.search(stretch)
    is_adjective = word and _describes(word[1]) and word[1] not in _NOUNS_LIKE_PARTICLES  # "새 열두 마리" has birds
    if not word or is_adjective or word[1].endswith(("에", "에서", "위에", "옆에")):
        return (end, end), ()
    offset = end - len(stretch)
    start = offset + word.start()
    noun = (start, start + len(_without_particle(word[1])))
    before = _LAST.search(stretch[: word.start()])
    described = before and _describes(before[1]) and len(before[1]) <= 4
    return noun, ((offset + before.start(), offset + before.start() + len(before[1])),) if before and described else ()


def _describes(word: str) -> bool:
    """Whether a word ends as those that describe the next one do: in a final n ("빨간", "귀여운"), or "의"."""
    return word in _ADJECTIVES or (len(word) > 1 and word.endswith(_DESCRIBING))


def _without_particle(word: str) -> str:
    """A noun less the particle at its end."""
    if word in _NOUNS_LIKE_PARTICLES or any(word.endswith(noun) for noun in _NOUNS_LIKE_PARTICLES if len(noun) > 1):
        return word
    found = _PARTICLE.search(word)
    return word[: found.start()] if found and found.start() > 0 else word
