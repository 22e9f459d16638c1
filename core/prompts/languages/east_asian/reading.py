"""Reads counted nouns in Chinese, Japanese and Korean.

A text is walked once, by the pattern of its language: a numeral with its counter finds the place; the noun is what stands
behind or before it up to the next particle, verb or mark.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache

from ...mentions import Mention, Reading
from ...words import Span, Word
from ..english.numbers import MAX_COUNT
from ..sums import without_parts_of_a_sum
from . import chinese, chinese_words, japanese, korean
from .phrases import NUMERAL, value_of

LETTERS = "\u3040-\u30ff\u3400-\u9fff\uac00-\ud7a3々ーｦ-ﾟ"
_ANY = re.compile(f"[{LETTERS}]")
_READERS = {"zh": chinese, "ja": japanese, "ko": korean}
_STOP = re.compile("[。；;！!\n]")
_KANA, _HANGUL = re.compile("[\u3041-\u30fa]"), re.compile("[\uac00-\ud7a3]")


def language_of(text: str) -> str:
    """ "zh", "ja" or "ko" by the letters of `text`; empty where it has none of theirs."""
    if not _ANY.search(text):
        return ""
    if _HANGUL.search(text):
        return "ko"
    return "ja" if _KANA.search(text) or _is_japanese(text) else "zh"


def _is_japanese(text: str) -> bool:
    """Whether text without kana is Japanese: by letters that only one of both writes; else a count ends a phrase."""
    writers = Counter(map(_only_writer_of, text))
    if writers["ja"] != writers["zh"]:
        return writers["ja"] > writers["zh"]
    return japanese.BEHIND_ITS_NOUN.search(text) is not None


@lru_cache(8_192)
def _only_writer_of(letter: str) -> str:
    """ "zh" or "ja" for what only the national character sets of one of both have, as "们", "，" and "桜"; else empty."""
    if not _ANY.match(letter):
        return "zh" if letter == "，" else ""
    if not _has("shift_jis", letter):
        return "zh"
    return "" if _has("gb2312", letter) or _has("big5", letter) else "ja"


def _has(charset: str, letter: str) -> bool:
    return letter.encode(charset, "ignore") != b""


def has_east_asian(text: str) -> bool:
    """Whether there is a letter of Chinese, Japanese or Korean in `text`."""
    return _ANY.search(text) is not None


def read_east_asian(text: str, outside: Sequence[Span] = ()) -> Reading:
    """Counted nouns of `text`, and what it says of numbers without asking for a count.

    Args:
        outside: stretches of lettering, of which nothing is read.
    """
    language = language_of(text)
    if not language:
        return Reading()
    reader, written = _READERS[language], _masked(text, outside)
    masked = chinese_words.simplified(written) if language == "zh" else written
    is_traditional = masked != written
    mentions: list[Mention] = []
    notes, done = [], 0
    for match in reader.PATTERN.finditer(masked):
        found = reader.find(masked, match, done) if match.start() >= done else None
        if found is None or found.start < done:
            continue
        done = found.end
        if found.said is not None:
            note = found.said.note(text)
            fix = note.fix.replace(chinese.ANY_COUNTER, chinese.ANY_COUNTER_TRADITIONAL) if is_traditional else note.fix
            notes.append(replace(note, fix=fix))
        elif found.noun[0] < found.noun[1] and 1 <= found.count <= MAX_COUNT:
            adjectives = tuple(_word(text, span) for span in found.attributes)
            mentions.append(Mention(found.count, (_word(text, found.noun),), adjectives))
    if language == "zh":
        stops = [mark.end() for mark in _STOP.finditer(text)]
        mentions = without_parts_of_a_sum(mentions, stops, chinese.can_be_part)
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
_COUNT_ALONE = re.compile(rf"(?:{NUMERAL}|[가-힣]{{1,3}})\s?[^\W\d]{{0,3}}\s*[のがは的의가이]?")
_BARE = re.compile(rf"(?P<first>{NUMERAL})\s*(?P<behind>[^\d]+)|(?P<before>[^\d]+?)\s*[:：=x×]?\s*(?P<last>{NUMERAL})")


def _masked(text: str, outside: Sequence[Span]) -> str:
    """`text` with line breaks in place of lettering."""
    pieces, at = [], 0
    for start, end in outside:
        pieces += [text[at:start], "\n" * (end - start)]
        at = end
    return "".join([*pieces, text[at:]])


def _word(text: str, span: Span) -> Word:
    return Word(text[slice(*span)].lower(), *span)
