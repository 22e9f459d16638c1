"""Reads counted nouns in Japanese, by the table "ja"."""

from __future__ import annotations

import re

from ...notes import Kind
from ...words import Span
from ..tables import either, read_table, values
from .phrases import LONGEST_CLAUSE, NUMERAL, RANGE, STRETCH, Find, Said, say, value_of

_WORDS, _COUNTERS, _NUMBERS = (
    read_table("ja")["words"],
    values(read_table("ja")["counters"]),
    values(read_table("ja")["numbers"]),
)
_VAGUE, _BOUNDS, _BOUNDS_BEHIND, _UNITS, _NOUNS, _FRAMES, _BESIDE = (
    either(_WORDS[name]) for name in ("vague", "bounds", "bounds_behind", "units", "nouns", "frames", "beside")
)

BEHIND_ITS_NOUN = re.compile(
    rf"[\u3400-\u9fff々]\s?{NUMERAL}(?:{either(' '.join(_COUNTERS))})\s*(?:[、。,.]|$)"  # "猫二匹"
)
PATTERN = re.compile(
    rf"(?P<vague>{_VAGUE})|(?P<bound>{_BOUNDS})?(?:(?P<low>{NUMERAL}{RANGE})?(?P<number>{NUMERAL}|[数何])"
    rf"(?!{_UNITS})(?P<counter>{either(' '.join(_COUNTERS))})(?!目)|(?P<word>{'|'.join(_NUMBERS)}))"
    rf"(?P<behind>{_BOUNDS_BEHIND})?(?P<of>の)?"
)
_COUNT = re.compile(rf"{NUMERAL}(?:{either(' '.join(_COUNTERS))})")
_RUN = re.compile(
    rf"(?P<noun>{_NOUNS})|(?P<kanji>[\u3400-\u9fff々]+)|(?P<kata>[\u30a1-\u30ffｦ-ﾟA-Za-z]+)|(?P<hira>[\u3041-\u309f]+)"
)
_PARTICLE = re.compile(rf"(?:{either(_WORDS['particles'])})")
_FRAME = re.compile(rf"(?:{_FRAMES})$")
_BEHIND_OF = re.compile(rf"(?:{_FRAMES})|(?:{_BESIDE})(?![\u3400-\u9fff\u30a1-\u30ff々])")  # "二本の木の間に"
_COUPLE = re.compile(rf"(?:{either(_WORDS['couples'])})$")


def find(text: str, match: re.Match[str], previous: int) -> Find | None:
    """What a match of `PATTERN` in `text` asks for or says; what stands before `previous` was read."""
    if not match["vague"]:
        return _count(text, match, previous)
    noun, _, end = _noun_behind(text, match.end())
    return say(Kind.VAGUE, (match.start(), end), noun, "三つの") if noun[0] < noun[1] else None


def _count(text: str, match: re.Match[str], previous: int) -> Find | None:
    if text[max(match.start() - 1, 0) : match.start()] == "第":
        return None
    counter, numeral = match["counter"] or "", match["number"] or ""
    end = match.end()
    if match["of"]:
        noun, attributes, end = _noun_behind(text, match.end())
        if _COUNT.search(text, *noun):  # "双子の少女二人"
            return None
    else:
        noun, attributes = _noun_before(text, previous, match.start())
    if noun[0] == noun[1] and counter in {"人", "名"}:
        noun = (match.start("counter"), match.end("counter"))
    name = text[slice(*noun)]
    value = _NUMBERS[match["word"]] if match["word"] else 0 if numeral in "数何" else value_of(numeral)
    if noun[0] == noun[1]:
        return None
    if match["bound"] or match["behind"] or match["low"] or not value:
        is_bound = match["bound"] or match["behind"]
        kind = Kind.BOUND if is_bound else Kind.RANGE if match["low"] or numeral not in "数何" else Kind.VAGUE
        span = (min(match.start(), noun[0]), max(match.end(), noun[1]))
        return Find(*span, said=Said(kind, span, (noun, match.span("number") if value else "3", counter)))
    if value == 1 and _FRAME.search(name):
        return None
    times = 2 if _COUPLE.search(name) and counter == "組" else _COUNTERS.get(counter, 1)
    return Find(min(match.start(), noun[0]), max(end, match.end()), value * times, noun, attributes)


def _noun_behind(text: str, start: int) -> tuple[Span, tuple[Span, ...], int]:
    """The noun of "3匹の黒い猫が": its place, what describes it, and where the phrase ends."""
    stretch = STRETCH.match(text, start, start + LONGEST_CLAUSE)
    end = stretch.end() if stretch else start
    noun, attributes = (start, start), []
    at = start
    while at < end and (run := _RUN.match(text, at, end)):
        if not run["hira"]:
            if noun[1] == run.start() and noun[0] < noun[1]:
                noun = (noun[0], run.end())
            else:
                noun = run.span()
            at = run.end()
            continue
        if text.startswith("の", at):
            if _BEHIND_OF.match(text, at + 1):
                break
            if noun[0] < noun[1]:
                attributes.append(noun)
            at, noun = at + 1, (at + 1, at + 1)
            continue
        if noun[0] < noun[1] and not _is_okurigana(text, run, end):
            break
        shortened = _hiragana_noun(text, at, run.end())
        if noun[0] == noun[1] and run.end() == end:
            noun = (at, shortened)
            break
        attributes.append((noun[0], run.end()))
        at, noun = run.end(), (run.end(), run.end())
    return noun, tuple(span for span in attributes if 0 < span[1] - span[0] <= 5), at


def _is_okurigana(text: str, run: re.Match[str], end: int) -> bool:
    """Whether hiragana behind a noun's letters belongs to a word that describes what follows: "黒い猫"."""
    return (
        run.end() < end
        and text[run.end() - 1] in "いなたるうくすの"
        and text[run.start() : run.end()] not in {"とな", "には"}
    )


def _hiragana_noun(text: str, at: int, end: int) -> int:
    """Where a noun in hiragana ends: before its particle."""
    for length in range(2, end - at):
        if _PARTICLE.fullmatch(text, at + length, end):
            return at + length
    return end


def _noun_before(text: str, previous: int, end: int) -> tuple[Span, tuple[Span, ...]]:
    """The noun of "猫が3匹" or "猫3匹", and what describes it."""
    begin = max(previous, end - LONGEST_CLAUSE)
    while end > begin and text[end - 1] in " 　":
        end -= 1
    for particle in ("が", "は", "を", "も"):
        if text[begin:end].endswith(particle) and not re.search(rf"(?:{_NOUNS})$", text[begin:end]):
            end -= 1
            break
    else:
        if text[max(end - 1, begin) : end] in {"に", "と", "で", "の", "へ"}:
            return (end, end), ()
    runs = [run for run in _RUN.finditer(text, begin, end) if run.end() > run.start()]
    if not runs or runs[-1].end() != end:
        return (end, end), ()
    last = runs[-1]
    start = last.start()
    if last["hira"]:
        marks = [found.end() for found in re.finditer("[とやにでのは、]", text[last.start() : last.end() - 1])]
        start = last.start() + (marks[-1] if marks else 0)
    before = runs[:-1]
    if before and before[-1].end() == last.start() and not before[-1]["hira"] and not last["hira"]:
        start = before.pop().start()
    described = before[-1] if before and before[-1].end() == start and before[-1]["hira"] else None
    attributes: tuple[Span, ...] = ()
    if described and text[described.end() - 1] in "いな" and len(before) > 1 and before[-2].end() == described.start():
        attributes = ((before[-2].start(), described.end()),)
    return (start, end), tuple(span for span in attributes if span[1] - span[0] <= 5)
