"""Reads how many a language model says there are: JSON, "cats: 3", sentences, or a bare number for one noun."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from ..errors import CountError
from ..prompts import NoteKind, read_prompt
from ..prompts.languages.english.numbers import MAX_COUNT, is_number, read_number
from ..prompts.words import split_words
from .counted import Counted
from .labels import clean_label, listed, owner_of

_THOUGHT = re.compile(r"<think(?:ing)?>.*?</think(?:ing)?>|\A.*</think(?:ing)?>", re.DOTALL | re.IGNORECASE)
_FENCE = re.compile(r"```\w*\s*(.*?)```", re.DOTALL)
_SIGNS = re.compile(r"[*_`#]+")
_PAIR = re.compile(
    r"(?P<noun>[^\W\d][\w' -]*?)\s*(?::|=|->|→|–|—|\bx(?=\s*\d))\s*(?P<number>[\w-]+)(?=\s*(?:[^\w\s]|\n|and\b|\Z))",
    re.IGNORECASE,
)
_NAMES, _NUMBERS = (
    ("object", "label", "noun", "name", "class", "item", "category"),
    ("count", "number", "quantity", "total"),
)
_NONE_OF = re.compile(r"\b(?:no|not any|without any)\s+(?=\w+)", re.IGNORECASE)
FORMS = "'cats: 3, dogs: 2', JSON such as {\"cats\": 3}, 'three cats and two dogs', or a bare number for one noun"


@dataclass(frozen=True)
class ReadAnswers:
    """What language models said of N images.

    Attributes:
        counted: the numbers; no points, boxes or masks.
        notes: what was not said and taken as 0, a line each.
    """

    counted: Counted
    notes: tuple[str, ...]


def read_answers(answers: Sequence[str], nouns: Sequence[str]) -> ReadAnswers:
    """The counts in the answers of a language model that saw N images.

    Args:
        answers: one for each image.
        nouns: what was asked for; empty where nothing says it: then the nouns of the answers are.

    Raises:
        CountError: an answer holds no number of any of the nouns.
    """
    said = [_said(answer, list(nouns)) for answer in answers]
    if not nouns:
        names: list[str] = []
        for one in said:
            names += [noun for noun in one if owner_of(noun, names) is None]
        nouns = names
    rows, notes = [], []
    for index, (answer, one) in enumerate(zip(answers, said, strict=True), 1):
        numbers = _by_noun(one, nouns)
        if not numbers:
            what = f" of {listed(nouns)}" if nouns else ""
            raise CountError(
                f"the answer for image {index} says no number{what}: {_short(answer)}. It has to be like {FORMS}; ask the "
                "language model for that form"
            )
        silent = [noun for place, noun in enumerate(nouns) if place not in numbers]
        notes += [f"image {index}: nothing is said of {listed(silent)}, taken as 0"] if silent else []
        rows.append([numbers.get(place, 0.0) for place in range(len(nouns))])
    empty = tuple(() for _ in nouns)
    counts = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), len(nouns))
    return ReadAnswers(Counted(tuple(nouns), counts, (empty,) * len(rows)), tuple(notes))


def _by_noun(said: Mapping[str, float], nouns: Sequence[str]) -> dict[int, float]:
    """Place of a noun -> its number. Several names of one noun ("black cats: 1, white cats: 2") add up."""
    exact = {place: said[noun] for place, noun in enumerate(nouns) if noun in said}
    found = dict(exact)
    for name, number in said.items():
        owner = owner_of(name, list(nouns))
        if owner is not None and owner not in exact:
            found[owner] = found.get(owner, 0.0) + number
    return found


def _said(answer: str, nouns: list[str]) -> dict[str, float]:
    """Noun -> number as an answer has them; of the first form that fits."""
    text = _THOUGHT.sub(" ", answer).strip()
    for form in (_of_json, _of_pairs, _of_sentence):
        found = form(text)
        if found and (not nouns or _by_noun(found, nouns)):
            return found
    number = _bare_number(text)
    return {} if number is None or len(nouns) != 1 else {nouns[0]: number}


def _of_json(text: str) -> dict[str, float]:
    """An object of numbers, objects under one name, or a list of named objects, also inside a Markdown fence or a sentence."""
    fence = _FENCE.search(text)
    text = fence.group(1) if fence else text
    starts = [place for place in (text.find("{"), text.find("[")) if place >= 0]
    if not starts:
        return {}
    try:
        value, _ = json.JSONDecoder().raw_decode(text[min(starts) :])
    except ValueError:
        return {}
    return _of_value(value)


def _of_value(value: Any) -> dict[str, float]:
    if isinstance(value, list):
        found: dict[str, float] = {}
        for item in value:
            for noun, number in (_named(item) if isinstance(item, dict) else {}).items():
                found[noun] = found.get(noun, 0.0) + number
        return found
    if not isinstance(value, dict):
        return {}
    named = _named(value)
    if named:
        return named
    numbers = {clean_label(str(noun)): _number(held) for noun, held in value.items()}
    found = {noun: number for noun, number in numbers.items() if noun and number is not None}
    inner = [held for held in value.values() if isinstance(held, dict | list)]
    return found or (_of_value(inner[0]) if inner else {})


def _named(item: Mapping[str, Any]) -> dict[str, float]:
    """{"object": "cat", "count": 3}; without a count it is one object, as in a list of boxes."""
    name = next((item[key] for key in _NAMES if isinstance(item.get(key), str)), None)
    if name is None:
        return {}
    given = next((item[key] for key in _NUMBERS if key in item), 1)
    number = _number(given)
    return {} if number is None else {clean_label(name): number}


def _number(value: Any) -> float | None:
    """Of a JSON value or a word."""
    if isinstance(value, str):
        words = split_words(value)
        read = read_number(words, 0) if words else None
        if read is None:
            return 0.0 if value.strip().lower() in ("no", "none", "zero", "0") else None
        value = read[0]
    is_number_of_json = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if is_number_of_json and math.isfinite(value) and 0 <= value <= MAX_COUNT else None


def _of_pairs(text: str) -> dict[str, float]:
    """ "cats: 3", also one on each line, as a list, or in bold."""
    found: dict[str, float] = {}
    for pair in _PAIR.finditer(_SIGNS.sub("", text)):
        noun, number = clean_label(pair["noun"]), _number(pair["number"])
        if noun and number is not None and not any(map(is_number, noun.split())):
            found[noun] = number  # what is said last holds
    return found


def _of_sentence(text: str) -> dict[str, float]:
    """ "There are three cats and no dogs": as a prompt is read."""
    text = _NONE_OF.sub("zero ", _SIGNS.sub("", text))
    reading = read_prompt(text)
    zeros = [note.fix for note in reading.notes if note.kind is NoteKind.ZERO]
    items = [found.item for found in reading.objects]
    found = {f"{' '.join(item.attributes)} {item.noun}".strip(): float(item.count) for item in items}
    return {**dict.fromkeys(zeros, 0.0), **found}


def _bare_number(text: str) -> float | None:
    """The only number of a text, as a figure or a word; "no" and "none" are 0."""
    words = split_words(_SIGNS.sub("", text))
    numbers, place = [], 0
    while place < len(words):
        read = read_number(words, place)
        if read is None:
            place += 1
        else:
            numbers.append(float(read[0]))
            place = read[1]
    if not numbers and text.strip().strip(".!").lower() in ("no", "none", "zero", "0"):
        return 0.0
    return numbers[0] if len(set(numbers)) == 1 else None


def _short(text: str) -> str:
    flat = " ".join(text.split())
    return repr(flat if len(flat) <= 120 else f"{flat[:117]}...")
