"""Reads counted nouns in Chinese, by the words of `chinese_words`."""

from __future__ import annotations

import re
from collections.abc import Iterator

from ...notes import Kind
from ...words import Span
from . import chinese_words as word
from .phrases import LONGEST_CLAUSE, LONGEST_NOUN, NUMERAL, PUNCTUATION, RANGE, STRETCH, Find, said, value_of

_COUNT = re.compile(
    rf"(?P<bound>{word.BOUNDS})?(?P<low>{NUMERAL}{RANGE})?(?P<number>{NUMERAL}|[几数])\s?"
    rf"(?!{word.UNITS})(?P<counter>[{''.join(word.COUNTERS)}{word.GROUPS}])?"
)
_VAGUE = re.compile(rf"(?P<vague>{word.VAGUE})|(?P<none>{word.NONE})")
_END = re.compile(
    rf"(?P<whole>(?:{word.PEOPLE}|{word.ANIMALS}){word.GO_ON})|(?P<noun>{word.NOUNS})|(?P<of>的)"
    rf"|(?P<end>{word.ADVERBS}|(?P<idiom>{word.IDIOM})|(?P<hold>[{word.BODY}][{word.HOLDS}])|.[{word.COMPLEMENTS}]"
    rf"|{word.JOINED}|{word.PLACES}|{word.VERBS}|[着了过]|\s|[A-Za-z0-9])"
    rf"|(?P<side>[怀手眼脚身嘴]?[上中里下旁前后])(?!衣|海|国|年|尉|裤|装)|(?P<number>{NUMERAL}(?=[{''.join(word.COUNTERS)}]))"
)
_VERB = re.compile(rf"(?:{word.VERBS})(?=[\u4e00-\u9fff])(?![着了过在])")
_ADJECTIVE = re.compile(rf"(?:{word.BEFORE})(?=.)")
_BEHIND_A_VERB = ("着", "了", "过")  # the letter before is the verb's: "白鹭掠过"
_FAMILY = re.compile(rf"(一家)({NUMERAL})口")
_FRAME = re.compile(rf"(?:{word.FRAMES})$")


def read_chinese(text: str) -> Iterator[Find]:
    """Numbers with their nouns, in any order."""
    for match in _FAMILY.finditer(text):
        yield Find(match.start(), match.end(), value_of(match[2]), match.span(1))
    places = sorted([*_COUNT.finditer(text), *_VAGUE.finditer(text)], key=lambda match: match.start())
    for match in places:
        groups = match.groupdict()
        if groups.get("vague") or groups.get("none"):
            noun, _ = _noun(text, match.end())
            if noun[0] < noun[1]:
                yield said(Kind.VAGUE if groups["vague"] else Kind.NONE, text, match.span(), noun, "三")
        elif find := _count(text, match):
            yield find


def _count(text: str, match: re.Match[str]) -> Find | None:
    counter, numeral, before = match["counter"] or "", match["number"], text[max(match.start() - 2, 0) : match.start()]
    if before.endswith(("第", "每")) or not (counter or text.startswith("人", match.end())):
        return None
    noun, attributes = _noun(text, match.end())
    if noun[0] == noun[1] and counter:  # "黑猫三只"
        noun, attributes = _noun_before(text, match)
        if noun[0] == noun[1]:  # one that begins like a verb: "飞天", "吊灯"
            noun, attributes = _noun(text, match.end(), 1)
    name = text[slice(*noun)]
    if noun[0] == noun[1] or name in word.NOT_THINGS:
        return None
    value = 0 if numeral in "几数" else value_of(numeral)
    if match["bound"] or match["low"] or not value:
        kind = Kind.BOUND if match["bound"] else Kind.RANGE if match["low"] or numeral not in "几数" else Kind.VAGUE
        return said(kind, text, match.span(), noun, numeral if value else "三", counter)
    if counter and counter in word.GROUPS:
        return said(Kind.VAGUE, text, match.span(), noun, "三", "个") if value == 1 else None
    is_place = value == 1 and (
        text[noun[1] : noun[1] + 1] in {"里", "内"} or re.search(f"(?:{word.PLACES}|各.?)$", before)
    )
    if is_place or (value == 1 and _FRAME.search(name)):
        return Find(match.start(), match.end())
    times = word.COUNTERS.get(counter, 1)
    return Find(min(match.start(), noun[0]), max(noun[1], match.end()), value * times, noun, attributes)


_CLAUSE = re.compile(
    rf"(?:[{re.escape(PUNCTUATION)}\s]|^)(?:一.)?([^{re.escape(PUNCTUATION)}\s]{{1,{LONGEST_NOUN}}})([，,]?)\s?$"
)


def _noun_before(text: str, match: re.Match[str]) -> tuple[Span, tuple[Span, ...]]:
    """The noun of "黑猫三只" or "一笼小笼包，八个，", which no verb parts from its count."""
    offset = max(match.start() - LONGEST_CLAUSE, 0)
    clause = _CLAUSE.search(text[offset : match.start()])
    if clause and not (clause[2] and text[match.end() : match.end() + 1].strip("，,。. \n")):
        noun, attributes = _noun(text, offset + clause.start(1))
        if noun[1] == offset + clause.end(1):
            return noun, attributes
    return (match.start(), match.start()), ()


def _noun(text: str, start: int, least: int = 0) -> tuple[Span, tuple[Span, ...]]:
    """The noun behind a counter, of `least` letters, and what describes it; an empty span where there is none."""
    stretch = STRETCH.match(text, start, start + LONGEST_CLAUSE)
    end = stretch.end() if stretch else start
    attributes: list[Span] = []
    begin, at = start, start + (least if _VERB.match(text, start, end) else 0)
    while at < end and (found := _END.search(text, at, end)):
        at = found.end()
        if found["of"] and found.start() > begin and not _names_picture(text, at, end):
            attributes.append((begin, found.start()))
            begin = at
        elif relative := _behind_clause(text, begin, found, end):
            at = begin = relative
        elif not (found["noun"] or (found.start() == begin and (found["side"] or found["idiom"]))):
            end = _end_at(found, begin)
            break
    while adjective := _ADJECTIVE.match(text, begin, end):
        attributes.append(adjective.span())
        begin = adjective.end()
    is_short = [span for span in attributes if span[1] - span[0] <= 4]
    return ((begin, end) if end - begin <= LONGEST_NOUN else (begin, begin)), tuple(is_short)


def _end_at(found: re.Match[str], begin: int) -> int:
    """Where a noun ends that begins at `begin`, by what ends it."""
    if found["whole"]:
        return found.end()
    if found["hold"] and found.start() == begin:
        return begin + 1  # "两只手捧着"
    return found.start() - (found["end"] in _BEHIND_A_VERB and found.start() > begin + 1)


def _behind_clause(text: str, begin: int, found: re.Match[str], end: int) -> int:
    """Index behind the verb that describes a noun, and its 的: "撑着伞的行人"; 0 where `found` is no such verb."""
    begins = found.start() == begin or (found["end"] in _BEHIND_A_VERB and found.start() == begin + 1)
    return text.find("的", found.end(), end) + 1 if found["end"] and begins else 0


def _names_picture(text: str, at: int, end: int) -> bool:
    return re.match(rf"(?:{word.FRAMES}|{word.BESIDE})", text[at:end]) is not None
