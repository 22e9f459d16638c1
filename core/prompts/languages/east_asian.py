"""Reads counted nouns in Chinese, Japanese and Korean, by the tables of `east_asian_tables`.

A numeral with its counter finds the place; the noun is what stands behind or before it up to the next particle, verb or mark.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from ..mentions import Mention, Reading
from ..notes import Kind, Note
from ..words import Span, Word
from . import east_asian_tables as table
from .english.numbers import MAX_COUNT

LETTERS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3々ーｦ-ﾟ"
_ANY = re.compile(f"[{LETTERS}]")
_KANA, _HANGUL = re.compile("[\u3041-\u30fa]"), re.compile("[\uac00-\ud7a3]")
_STRETCH = re.compile(rf"[^{re.escape(table.PUNCTUATION)}]+")
_LONGEST_NOUN = 16  # letters
_LONGEST_CLAUSE = 60
_RANGE = r"(?:[-~～〜–—到至、,から]{1,2})"


def language_of(text: str) -> str:
    """ "zh", "ja" or "ko" by the letters of `text`; empty where it has none of theirs."""
    if not _ANY.search(text):
        return ""
    if _HANGUL.search(text):
        return "ko"
    return "ja" if _KANA.search(text) or _BEHIND_ITS_NOUN.search(text) else "zh"


def has_east_asian(text: str) -> bool:
    """Whether there is a letter of Chinese, Japanese or Korean in `text`."""
    return _ANY.search(text) is not None


def read_east_asian(text: str, outside: Sequence[Span] | None = None) -> Reading:
    """Counted nouns of `text`, and what it says of numbers without asking for a count.

    Args:
        outside: stretches of lettering, of which nothing is read.
    """
    language = language_of(text)
    if not language:
        return Reading()
    masked = text
    for start, end in outside or ():
        masked = masked[:start] + "\n" * (end - start) + masked[end:]
    finds = {"zh": _chinese, "ja": _japanese, "ko": _korean}[language](masked)
    mentions, notes, done = [], [], 0
    for found in sorted(finds, key=lambda find: find.start):
        if found.start < done:
            continue
        done = found.end
        if found.note is not None:
            notes.append(found.note)
        elif found.noun[0] < found.noun[1] and 1 <= found.count <= MAX_COUNT:
            adjectives = tuple(_word(text, span) for span in found.attributes)
            mentions.append(Mention(found.count, (_word(text, found.noun),), adjectives))
    return Reading(mentions, notes)


def read_item(text: str) -> tuple[int, str] | None:
    """Count and noun of an item of a list: "3只猫", "猫 3匹", "고양이 3마리", or a bare number with anything.

    Returns:
        None where it has no number, is a range, or more is left of it than the noun.
    """
    spaced = _SPACED_ITEM.fullmatch(text.strip())
    if spaced and (language_of(text) == "ko" or not re.search(r"\s", spaced[2])):
        return int(spaced[1]), spaced[2].lower()
    reading = read_east_asian(text)
    if reading.notes:
        return None
    for mention in reading.mentions:
        spans = [(word.start, word.end) for word in (*mention.attributes, *mention.noun)]
        begin, end = min(span[0] for span in spans), max(span[1] for span in spans)
        rest = f"{text[:begin]} {text[end:]}"
        if _COUNT_ALONE.fullmatch(rest.strip()):
            return mention.count, text[begin:end].lower()
    bare = _BARE.fullmatch(text.strip())
    if bare is None or (language_of(text) != "ko" and re.search(r"\S\s+\S", bare["behind"] or "")):
        return None
    return value_of(bare["first"] or bare["last"]), (bare["behind"] or bare["before"]).strip().lower()


_SPACED_ITEM = re.compile(r"(\d{1,5})\s+([^\d]+)")
_COUNT_ALONE = re.compile(rf"(?:{table.NUMERAL}|[가-힣]{{1,3}})\s?[^\W\d]{{0,3}}\s*[のがは的의가이]?")
_BARE = re.compile(
    rf"(?P<first>{table.NUMERAL})\s*(?P<behind>[^\d]+)|(?P<before>[^\d]+?)\s*[:：=x×]?\s*(?P<last>{table.NUMERAL})"
)


def value_of(numeral: str) -> int:
    """The number that a numeral of digits or of Chinese letters writes; 0 where the letters write none ("两三")."""
    if numeral.isdecimal():
        return int(numeral)
    total = current = 0
    for letter in numeral:
        if letter in table.SCALES:
            total, current = total + max(current, 1) * table.SCALES[letter], 0
        elif current:
            return 0
        else:
            current = table.DIGITS[letter]
    return total + current


@dataclass(frozen=True)
class _Find:
    """A numeral with its noun, or a note; nothing of it is read again before `end`."""

    start: int
    end: int
    count: int = 0
    noun: Span = (0, 0)
    attributes: tuple[Span, ...] = ()
    note: Note | None = None


def _word(text: str, span: Span) -> Word:
    return Word(text[slice(*span)].lower(), *span)


def _said(kind: Kind, text: str, span: Span, noun: Span, count: str, counter: str = "") -> _Find:
    name = text[slice(*noun)]
    fix = name if kind is Kind.NONE else f"{count}{counter}{name}"
    return _Find(*span, note=Note(kind, text[span[0] : max(span[1], noun[1])], fix))


# Chinese

_ZH = re.compile(
    rf"(?P<bound>{table.ZH_BOUNDS})?(?P<low>{table.NUMERAL}{_RANGE})?(?P<number>{table.NUMERAL}|[几数])\s?"
    rf"(?!{table.ZH_UNITS})(?P<counter>[{''.join(table.ZH_COUNTERS)}{table.ZH_GROUPS}])?"
)
_ZH_VAGUE = re.compile(rf"(?P<vague>{table.ZH_VAGUE})|(?P<none>{table.ZH_NONE})")
_ZH_END = re.compile(
    rf"(?P<noun>{table.ZH_NOUNS})|(?P<of>的)|(?P<end>{table.ZH_JOINED}|{table.ZH_PLACES}|{table.ZH_VERBS}|[着了过]|\s|[A-Za-z0-9])"
    rf"|(?P<side>上|中|里|下|旁|前|后)(?!衣|海|国|年|尉|裤|装)|(?P<number>{table.NUMERAL}(?=[{''.join(table.ZH_COUNTERS)}]))"
)
_ZH_ADJECTIVE = re.compile(rf"(?:{table.ZH_BEFORE})(?=.)")
_BEHIND_A_VERB = ("着", "了", "过")  # the letter before is the verb's: "白鹭掠过"
_ZH_FAMILY = re.compile(rf"(一家)({table.NUMERAL})口")
_ZH_FRAME = re.compile(rf"(?:{table.ZH_FRAMES})$")
_ZH_COUPLE = re.compile(rf"(?:{table.ZH_COUPLES})$")


def _chinese(text: str) -> Iterator[_Find]:
    for match in _ZH_FAMILY.finditer(text):
        yield _Find(match.start(), match.end(), value_of(match[2]), match.span(1))
    places = sorted([*_ZH.finditer(text), *_ZH_VAGUE.finditer(text)], key=lambda match: match.start())
    for match in places:
        groups = match.groupdict()
        if groups.get("vague") or groups.get("none"):
            noun, _ = _chinese_noun(text, match.end())
            if noun[0] < noun[1]:
                yield _said(Kind.VAGUE if groups["vague"] else Kind.NONE, text, match.span(), noun, "三")
        elif find := _chinese_count(text, match):
            yield find


def _chinese_count(text: str, match: re.Match[str]) -> _Find | None:
    counter, numeral, before = match["counter"] or "", match["number"], text[max(match.start() - 2, 0) : match.start()]
    if before.endswith(("第", "每")) or not (counter or text.startswith("人", match.end())):
        return None
    noun, attributes = _chinese_noun(text, match.end())
    if noun[0] == noun[1] and counter:  # "黑猫三只"
        noun, attributes = _japanese_noun_before(text, max(match.start() - _LONGEST_NOUN, 0), match.start())
    name = text[slice(*noun)]
    if noun[0] == noun[1] or name in table.ZH_NOT_THINGS:
        return None
    value = 0 if numeral in "几数" else value_of(numeral)
    if match["bound"] or match["low"] or not value:
        kind = Kind.BOUND if match["bound"] else Kind.RANGE if match["low"] or numeral not in "几数" else Kind.VAGUE
        said = numeral if value else "三"
        return _said(kind, text, match.span(), noun, said, counter)
    if counter and counter in table.ZH_GROUPS:
        return _said(Kind.VAGUE, text, match.span(), noun, "三", "个") if value == 1 else None
    is_place = value == 1 and re.search(f"(?:{table.ZH_PLACES})$", before)
    if is_place or (value == 1 and _ZH_FRAME.search(name)):
        return _Find(match.start(), match.end())
    times = table.ZH_COUNTERS.get(counter, 1)
    return _Find(min(match.start(), noun[0]), max(noun[1], match.end()), value * times, noun, attributes)


def _chinese_noun(text: str, start: int) -> tuple[Span, tuple[Span, ...]]:
    """The noun behind a counter, and what describes it; an empty span where there is none."""
    stretch = _STRETCH.match(text, start, start + _LONGEST_CLAUSE)
    end = stretch.end() if stretch else start
    attributes: list[Span] = []
    at = begin = start
    while at < end and (found := _ZH_END.search(text, at, end)):
        at = found.end()
        if found["noun"]:
            continue
        if found["of"]:
            if found.start() > begin and not _names_picture(text, at, end):
                attributes.append((begin, found.start()))
                begin = at
                continue
            end = found.start()
        elif found["side"] and found.start() > begin:
            end = found.start()
        elif found["side"]:
            continue
        elif found.start() == begin and (relative := text.find("的", at, end)) >= 0:
            at = begin = relative + 1
            continue
        else:
            end = found.start() - (found["end"] in _BEHIND_A_VERB and found.start() > begin + 1)
        break
    while adjective := _ZH_ADJECTIVE.match(text, begin, end):
        attributes.append(adjective.span())
        begin = adjective.end()
    is_short = [span for span in attributes if span[1] - span[0] <= 4]
    return ((begin, end) if end - begin <= _LONGEST_NOUN else (begin, begin)), tuple(is_short)


def _names_picture(text: str, at: int, end: int) -> bool:
    return re.match(rf"(?:{table.ZH_FRAMES}|{table.ZH_BESIDE})", text[at:end]) is not None


# Japanese

_BEHIND_ITS_NOUN = re.compile(
    rf"[\u3400-\u9fff]\s?{table.NUMERAL}[匹羽人名個本台枚頭冊体機]\s*(?:[、。,.]|$)"
)  # "猫二匹"
_JA_COUNTER = "|".join(sorted(map(re.escape, table.JA_COUNTERS), key=len, reverse=True))
_JA = re.compile(
    rf"(?P<bound>{table.JA_BOUNDS})?(?:(?P<low>{table.NUMERAL}{_RANGE})?(?P<number>{table.NUMERAL}|[数何])"
    rf"(?!{table.JA_UNITS})(?P<counter>{_JA_COUNTER})|(?P<word>{'|'.join(table.JA_WORDS)}))(?P<behind>{table.JA_BOUNDS_BEHIND})?(?P<of>の)?"
)
_JA_VAGUE = re.compile(table.JA_VAGUE)
_JA_RUN = re.compile(
    rf"(?P<noun>{table.JA_NOUNS})|(?P<kanji>[\u3400-\u9fff々]+)|(?P<kata>[\u30a1-\u30ffｦ-ﾟA-Za-z]+)|(?P<hira>[\u3041-\u309f]+)"
)
_JA_PARTICLE = re.compile(rf"(?:{table.JA_PARTICLES})")
_JA_FRAME = re.compile(rf"(?:{table.JA_FRAMES})$")
_JA_COUPLE = re.compile(rf"(?:{table.JA_COUPLES})$")


def _japanese(text: str) -> Iterator[_Find]:
    for match in _JA_VAGUE.finditer(text):
        noun, _, end = _japanese_noun_behind(text, match.end())
        if noun[0] < noun[1]:
            yield _said(Kind.VAGUE, text, (match.start(), end), noun, "三つの")
    previous = 0
    for match in _JA.finditer(text):
        if find := _japanese_count(text, match, previous):
            previous = find.end
            yield find


def _japanese_count(text: str, match: re.Match[str], previous: int) -> _Find | None:
    if text[max(match.start() - 1, 0) : match.start()] == "第":
        return None
    counter, numeral = match["counter"] or "", match["number"] or ""
    end = match.end()
    if match["of"]:
        noun, attributes, end = _japanese_noun_behind(text, match.end())
    else:
        noun, attributes = _japanese_noun_before(text, previous, match.start())
    if noun[0] == noun[1] and counter in {"人", "名"}:
        noun = (match.start("counter"), match.end("counter"))
    name = text[slice(*noun)]
    value = table.JA_WORDS[match["word"]] if match["word"] else 0 if numeral in "数何" else value_of(numeral)
    if noun[0] == noun[1]:
        return None
    if match["bound"] or match["behind"] or match["low"] or not value:
        is_bound = match["bound"] or match["behind"]
        kind = Kind.BOUND if is_bound else Kind.RANGE if match["low"] or numeral not in "数何" else Kind.VAGUE
        span = (min(match.start(), noun[0]), max(match.end(), noun[1]))
        return _Find(*span, note=Note(kind, text[slice(*span)], f"{name}{numeral if value else 3}{counter}"))
    if value == 1 and _JA_FRAME.search(name):
        return None
    times = 2 if _JA_COUPLE.search(name) and counter == "組" else table.JA_COUNTERS.get(counter, 1)
    return _Find(min(match.start(), noun[0]), max(end, match.end()), value * times, noun, attributes)


def _japanese_noun_behind(text: str, start: int) -> tuple[Span, tuple[Span, ...], int]:
    """The noun of "3匹の黒い猫が": its place, what describes it, and where the phrase ends."""
    stretch = _STRETCH.match(text, start, start + _LONGEST_CLAUSE)
    end = stretch.end() if stretch else start
    noun, attributes = (start, start), []
    at = start
    while at < end and (run := _JA_RUN.match(text, at, end)):
        if not run["hira"]:
            if noun[1] == run.start() and noun[0] < noun[1]:
                noun = (noun[0], run.end())
            else:
                noun = run.span()
            at = run.end()
            continue
        if text.startswith("の", at):
            if re.compile(rf"(?:{table.JA_FRAMES})").match(text, at + 1):
                break
            if noun[0] < noun[1]:
                attributes.append(noun)
            at, noun = at + 1, (at + 1, at + 1)
            continue
        particle = _JA_PARTICLE.match(text, at)
        if noun[0] < noun[1] and particle and (particle.end() == run.end() or not _is_okurigana(text, run, end)):
            break
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
        if _JA_PARTICLE.fullmatch(text, at + length, end):
            return at + length
    return end


def _japanese_noun_before(text: str, previous: int, end: int) -> tuple[Span, tuple[Span, ...]]:
    """The noun of "猫が3匹" or "猫3匹", and what describes it."""
    begin = max(previous, end - _LONGEST_CLAUSE)
    while end > begin and text[end - 1] in " 　":
        end -= 1
    for particle in ("が", "は", "を", "も"):
        if text[begin:end].endswith(particle) and not re.search(rf"(?:{table.JA_NOUNS})$", text[begin:end]):
            end -= 1
            break
    else:
        if text[max(end - 1, begin) : end] in {"に", "と", "で", "の", "へ"}:
            return (end, end), ()
    runs = [run for run in _JA_RUN.finditer(text, begin, end) if run.end() > run.start()]
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


# Korean

_KO_NUMBER = (
    rf"(?:{'|'.join(table.KO_TENS)})?(?:{'|'.join(sorted(table.KO_NUMBERS, key=len, reverse=True))})|[0-9]{{1,4}}"
)
_KO_COUNTER = "|".join(sorted(table.KO_COUNTERS, key=len, reverse=True))
_KO = re.compile(
    rf"(?<![가-힣0-9A-Za-z.])(?P<bound>(?:{table.KO_BOUNDS})\s)?(?P<low>(?:{_KO_NUMBER})(?:\s?[-~]\s?)?(?=[가-힣0-9]))??"
    rf"(?P<number>{_KO_NUMBER}|몇|여러)(?:\s?(?!{table.KO_UNITS})(?P<counter>{_KO_COUNTER})"
    rf"(?P<of>의(?=\s))?(?P<particle>[가-힣]{{0,2}})(?![가-힣])|(?P<bare>(?=\s|[,.]|$)))"
)
_KO_WORD = re.compile("[가-힣A-Za-z]+")
_KO_LAST = re.compile(r"([가-힣A-Za-z]+)\s*$")
_KO_VAGUE = re.compile(rf"(?<![가-힣])(?:{table.KO_VAGUE})\s")
_KO_PARTICLE = re.compile(rf"(?:{table.KO_PARTICLES})$")


def _korean(text: str) -> Iterator[_Find]:
    previous = 0
    for match in _KO.finditer(text):
        if match.start() < previous:
            continue
        if find := _korean_count(text, match, previous):
            previous = find.end
            yield find


def _korean_value(numeral: str) -> int:
    if numeral.isdecimal():
        return int(numeral)
    if numeral in table.KO_NUMBERS:
        return table.KO_NUMBERS[numeral]
    ten = next((ten for ten in table.KO_TENS if numeral.startswith(ten)), "")
    return table.KO_NUMBERS.get(ten, 0) + table.KO_NUMBERS.get(numeral.removeprefix(ten), 0)


def _korean_count(text: str, match: re.Match[str], previous: int) -> _Find | None:
    numeral, counter = match["number"], match["counter"] or ""
    if match["bare"] is not None:
        return _korean_without_counter(text, match, previous)
    noun: Span = (0, 0)
    attributes: tuple[Span, ...] = ()
    if match["of"]:
        noun = _korean_noun_behind(text, match.end())
    if noun[0] == noun[1]:
        noun, attributes = _korean_noun_before(text, previous, match.start())
    if noun[0] == noun[1] and counter == "사람":
        noun = match.span("counter")
    if noun[0] == noun[1]:
        return None
    value = 0 if numeral in {"몇", "여러"} else _korean_value(numeral)
    span = (min(match.start(), noun[0]), max(match.end(), noun[1]))
    behind = re.compile(rf"\s?(?:{table.KO_BOUNDS_BEHIND})").match(text, match.end("counter"))
    if match["bound"] or behind or match["low"] or not value:
        kind = Kind.BOUND if match["bound"] or behind else Kind.RANGE if match["low"] else Kind.VAGUE
        fix = f"{text[slice(*noun)]} {numeral if value else '세'} {counter}"
        return _Find(*span, note=Note(kind, text[slice(*span)], fix))
    return _Find(*span, value * table.KO_COUNTERS[counter], noun, attributes)


def _korean_without_counter(text: str, match: re.Match[str], previous: int) -> _Find | None:
    numeral = match["number"]
    if match["low"] or numeral.isdecimal():
        return None
    if numeral in table.KO_NOUN_NUMERALS and not _KO_WORD.match(text, match.end() + 1):
        noun, attributes = _korean_noun_before(text, previous, match.start())
        if noun[0] < noun[1]:
            return _Find(noun[0], match.end(), _korean_value(numeral), noun, attributes)
    if numeral in {"몇", "여러"} or numeral not in table.KO_DETERMINERS:
        return None
    noun = _korean_noun_behind(text, match.end())
    is_unit = re.match(rf"(?:{table.KO_UNITS})(?![가-힣])", text[slice(*noun)]) is not None
    return None if noun[0] == noun[1] or is_unit else _Find(match.start(), noun[1], _korean_value(numeral), noun)


def _korean_noun_behind(text: str, start: int) -> Span:
    """The noun of "두 명의 예쁜 소녀가": the first word behind that does not describe the next one."""
    at = start
    for _ in range(4):
        while at < len(text) and text[at] == " ":
            at += 1
        word = _KO_WORD.match(text, at)
        if not word:
            break
        if not _describes(word.group()) or text[word.end() : word.end() + 1] != " ":
            return word.start(), word.start() + len(_without_particle(word.group()))
        at = word.end()
    return start, start


def _korean_noun_before(text: str, previous: int, end: int) -> tuple[Span, tuple[Span, ...]]:
    """The noun of "검은 고양이 세 마리", and what describes it."""
    stretch = text[max(previous, end - _LONGEST_CLAUSE) : end]
    word = _KO_LAST.search(stretch)
    if not word or _describes(word[1]) or word[1].endswith(("에", "에서", "위에", "옆에")):
        return (end, end), ()
    offset = end - len(stretch)
    start = offset + word.start()
    noun = (start, start + len(_without_particle(word[1])))
    before = _KO_LAST.search(stretch[: word.start()])
    described = before and _describes(before[1]) and len(before[1]) <= 4
    return noun, ((offset + before.start(), offset + before.start() + len(before[1])),) if before and described else ()


def _describes(word: str) -> bool:
    """Whether a word ends as those that describe the next one do: in a final n ("빨간", "귀여운"), or "의"."""
    return word in table.KO_ADJECTIVES or (len(word) > 1 and word.endswith(table.KO_DESCRIBING))


def _without_particle(word: str) -> str:
    """A noun less the particle at its end."""
    if word in table.KO_NOUNS_LIKE_PARTICLES or any(
        word.endswith(noun) for noun in table.KO_NOUNS_LIKE_PARTICLES if len(noun) > 1
    ):
        return word
    found = _KO_PARTICLE.search(word)
    return word[: found.start()] if found and found.start() > 0 else word
