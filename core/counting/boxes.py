"""Reads the boxes of any detector as counts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch

from ..errors import CountError
from ..prompts.plurals import same_noun
from .counted import Counted, Point

_FORM = "boxes are dicts with x, y, width and height, in one list per picture"


def counted_from_boxes(boxes: Any, nouns: Sequence[str], pictures: int) -> Counted:
    """Count boxes: one box is one thing, and its middle is where the thing is.

    Args:
        boxes: per picture a list of dicts with x, y (of the left upper corner), width and height in pixels, and perhaps a
            label; or one such list for one picture; or an empty list, no box in any picture. ComfyUI's BOUNDING_BOXES.
        nouns: what to count. A box is a noun's where its label is the noun in singular or plural, adjectives aside
            ("red cat" is a cat). Boxes without a label are all the noun's, where there is one noun.
        pictures: N, how many pictures the detector saw.

    Returns:
        Counts and points of N pictures, points in the order of the boxes.

    Raises:
        CountError: boxes of another form or of another number of pictures, or several nouns and no labels.
    """
    listed = _per_picture(boxes, pictures)
    points = tuple(tuple(_middles(found, noun, len(nouns) == 1) for noun in nouns) for found in listed)
    numbers = torch.tensor([[len(places) for places in found] for found in points], dtype=torch.float32)
    return Counted(tuple(nouns), numbers.reshape(pictures, len(nouns)), points)


def _per_picture(boxes: Any, pictures: int) -> list[list[Mapping[str, Any]]]:
    """One list per picture; every box has been looked at."""
    if not _is_list(boxes):
        raise CountError(f"boxes are a {type(boxes).__name__}, but {_FORM}")
    if not boxes:
        return [[] for _ in range(pictures)]
    rows = [list(row) for row in boxes] if all(map(_is_list, boxes)) else [list(boxes)]
    for box in (box for row in rows for box in row):
        missing = [key for key in ("x", "y", "width", "height") if not isinstance(box, Mapping) or key not in box]
        if missing:
            raise CountError(f"a box is {str(box)[:80]}, without {', '.join(missing)}; {_FORM}")
    if len(rows) != pictures:
        raise CountError(
            f"the boxes are of {_pictures(len(rows))}, but there {'is' if pictures == 1 else 'are'} {_pictures(pictures)}. "
            f"Give the detector exactly these; {_FORM}"
        )
    return rows


def _pictures(number: int) -> str:
    return f"{number} picture{'' if number == 1 else 's'}"


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _middles(boxes: list[Mapping[str, Any]], noun: str, is_only_noun: bool) -> tuple[Point, ...]:
    return tuple(
        (float(box["x"]) + float(box["width"]) / 2, float(box["y"]) + float(box["height"]) / 2)
        for box in boxes
        if _is_of(box, noun, is_only_noun)
    )


def _is_of(box: Mapping[str, Any], noun: str, is_only_noun: bool) -> bool:
    label = box.get("label")
    if label is None:
        if is_only_noun:
            return True
        raise CountError(
            f"several kinds of things are asked for, and a box without a label could be any of them, {noun} too. Take a "
            "detector that labels its boxes, or ask for one kind"
        )
    words = str(label).split()
    length = len(noun.replace("-", " ").split())
    return same_noun(" ".join(words[-length:]), noun) or same_noun(str(label), noun)
