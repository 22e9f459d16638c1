"""Reads the boxes of any detector as counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from ..errors import CountError
from .box import USUAL, Box, BoxSettings, kept_boxes, left_out
from .box_forms import read_boxes
from .counted import Counted
from .labels import clean_label, is_of_people, is_person, listed, owner_of
from .wording import count_words

_PEOPLE = "people"
_MAX_LABELS = 12  # that a message names


@dataclass(frozen=True)
class BoxCounts:
    """Boxes counted for what is asked.

    Attributes:
        counted: counts and points of N pictures.
        asked: noun -> number to compare them with. As it was asked for, but for kinds of people that the detector calls
            "person" one and all: these are one entry.
        notes: what the user should know of the boxes, a line each.
    """

    counted: Counted
    asked: dict[str, int]
    notes: tuple[str, ...]


def count_boxes(boxes: Any, asked: Mapping[str, int], pictures: int, settings: BoxSettings = USUAL) -> BoxCounts:
    """Count boxes for what is asked.

    Args:
        boxes, pictures, settings: see `counted_from_boxes`.
        asked: noun -> number.

    Raises:
        CountError: see `counted_from_boxes`.
    """
    read = read_boxes(boxes, pictures)
    kept = [kept_boxes(found, settings) for found in read]
    together = _people_together(asked, _labels(kept))
    if together:
        found, told = _people_counted(kept, asked, together)
    else:
        found, told = BoxCounts(_counted(kept, list(asked)), dict(asked), ()), _one_box_each(kept, asked)
    nouns = [_PEOPLE if noun in together else noun for noun in found.asked]
    notes = (left_out(read, settings), told, _unknown_labels(kept, nouns))
    return replace(found, notes=tuple(filter(None, notes)))


def box_labels(boxes: Any, pictures: int) -> tuple[str, ...]:
    """The labels of boxes, each once and as `clean_label` has them; see `counted_from_boxes`."""
    return tuple(_labels(read_boxes(boxes, pictures)))


def counted_from_boxes(boxes: Any, nouns: Sequence[str], pictures: int, settings: BoxSettings = USUAL) -> Counted:
    """Count boxes: one box is one thing, and its middle is where the thing is.

    Args:
        boxes: in any form that `read_boxes` knows.
        nouns: what to count. A box belongs to the longest noun that its label ends in, singular or plural ("red cat" is a
            cat, "teddy bear" no bear where teddy bears are counted too). Boxes without a label are all the noun's, where
            there is one noun.
        pictures: N, how many pictures the detector saw.
        settings: which boxes count.

    Returns:
        Counts and points of N pictures, points in the order of the boxes.

    Raises:
        CountError: boxes of an unknown form or of another number of pictures, or several nouns and no labels.
    """
    return _counted([kept_boxes(found, settings) for found in read_boxes(boxes, pictures)], nouns)


def boxes_by_noun(boxes: Sequence[Box], nouns: Sequence[str]) -> list[tuple[Box, ...]]:
    """The boxes of one picture, sorted by the noun that they belong to, see `counted_from_boxes`.

    Returns:
        one tuple per noun and a last one with the boxes of none, each in the order of `boxes`.
    """
    owners = {label: owner_of(label, nouns) for label in _labels([boxes])}
    owners[""] = 0 if len(nouns) == 1 else None
    sorted_boxes: list[list[Box]] = [[] for _ in range(len(nouns) + 1)]
    for box in boxes:
        owner = owners[clean_label(box.label)]
        sorted_boxes[len(nouns) if owner is None else owner].append(box)
    return [tuple(found) for found in sorted_boxes]


def _counted(boxes: Sequence[Sequence[Box]], nouns: Sequence[str]) -> Counted:
    owners = {label: owner_of(label, nouns) for label in _labels(boxes)}
    if len(nouns) == 1:
        owners[""] = 0
    elif nouns and any(not clean_label(box.label) for found in boxes for box in found):
        raise CountError(
            f"several kinds of objects are asked for, and a box without a label could be any of them: {listed(nouns)}. Use a "
            "detector that labels its boxes, or ask for one kind"
        )
    points = tuple(
        tuple(
            tuple(box.middle for box in found if owners[clean_label(box.label)] == index) for index in range(len(nouns))
        )
        for found in boxes
    )
    numbers = torch.tensor([[len(places) for places in found] for found in points], dtype=torch.float32)
    return Counted(tuple(nouns), numbers.reshape(len(boxes), len(nouns)), points)


def _labels(boxes: Sequence[Sequence[Box]]) -> Counter[str]:
    """How many boxes have each label; boxes without one are left out."""
    labels = Counter(clean_label(box.label) for found in boxes for box in found)
    del labels[""]
    return labels


def _people_together(asked: Iterable[str], labels: Iterable[str]) -> list[str]:
    """The asked kinds of people that a detector did not tell apart; empty where it did, or where none are asked for."""
    labels = list(labels)
    kinds = [noun for noun in asked if is_of_people(noun)]
    if not kinds or not any(map(is_person, labels)) or any(map(is_of_people, labels)):
        return []
    return [noun for noun in asked if is_of_people(noun) or is_person(noun)]


def _people_counted(
    boxes: Sequence[Sequence[Box]], asked: Mapping[str, int], together: Sequence[str]
) -> tuple[BoxCounts, str]:
    """The counts with the kinds of `together` as one entry, which every person counts for, and what to say of it."""
    several = len(together) > 1
    name, number = _PEOPLE if several else together[0], _number_of_people(asked, together)
    merged = {name if noun in together else noun: number if noun in together else asked[noun] for noun in asked}
    counted = _counted(boxes, [_PEOPLE if noun == name else noun for noun in merged])
    told = f"the detector says only 'person', so {listed(together)} were not told apart"
    told += f"; {count_words(number, _PEOPLE)} in all are right" if several else " from other people"
    return BoxCounts(Counted(tuple(merged), counted.numbers, counted.points), merged, ()), told


def _number_of_people(asked: Mapping[str, int], together: Sequence[str]) -> int:
    """How many people are asked for: "5 people, 2 women, 3 men" are five, "1 person, 2 women" are three."""
    anybody = sum(asked[noun] for noun in together if is_person(noun))
    kinds = sum(asked[noun] for noun in together if is_of_people(noun))
    return kinds if anybody == kinds else anybody + kinds


def _unknown_labels(boxes: Sequence[Sequence[Box]], nouns: Iterable[str]) -> str:
    """The labels seen, where a noun has no box and some boxes are no noun's."""
    names = list(nouns)
    owners = {label: owner_of(label, names) for label in _labels(boxes)}
    missed = [noun for index, noun in enumerate(names) if index not in owners.values()]
    strange = [(label, number) for label, number in _labels(boxes).most_common() if owners[label] is None]
    if not missed or not strange:
        return ""
    seen = ", ".join(f"{label} ({number})" for label, number in strange[:_MAX_LABELS])
    more = f" and {len(strange) - _MAX_LABELS} more" if len(strange) > _MAX_LABELS else ""
    return f"no box is labelled {' or '.join(repr(noun) for noun in missed)}; labels seen: {seen}{more}"


def _one_box_each(boxes: Sequence[Sequence[Box]], asked: Mapping[str, int]) -> str:
    """A hint where every picture has one box, as ComfyUI's SAM3 Detect gives when its prompt names no number."""
    bare = all(len(found) == 1 and not clean_label(found[0].label) and found[0].score is not None for found in boxes)
    if not bare or not boxes or sum(asked.values()) < 2:
        return ""
    noun = next(iter(asked))
    return (
        "every image has exactly one box, without a label. ComfyUI's SAM3 Detect keeps one box unless its text says how "
        f"many to keep at most: '{noun}:50'"
    )
