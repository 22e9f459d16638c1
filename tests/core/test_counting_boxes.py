"""Boxes of any detector as counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from headcount.core.counting.boxes import counted_from_boxes
from headcount.core.errors import CountError


def box(x: float = 2, y: float = 4, width: float = 6, height: float = 8, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, **more}


def test_one_noun_needs_no_labels() -> None:
    counted = counted_from_boxes([[box(), box(10)], [], [box()]], ["cats"], 3)
    assert counted.nouns == ("cats",) and torch.equal(counted.numbers, torch.tensor([[2.0], [0.0], [1.0]]))
    assert counted.points == ((((5, 8), (13, 8)),), ((),), (((5, 8),),))


def test_one_list_is_of_one_picture() -> None:
    assert counted_from_boxes([box(), box()], ["cats"], 1).numbers.tolist() == [[2]]


@pytest.mark.parametrize("pictures", [1, 3])
def test_an_empty_list_is_nothing_found(pictures: int) -> None:
    counted = counted_from_boxes([], ["cats", "dogs"], pictures)
    assert counted.numbers.tolist() == [[0, 0]] * pictures and counted.points == (((), ()),) * pictures


def test_labels_tell_nouns_apart() -> None:
    labels = ("cat", "Cats", "red cat", "dog", "hot air balloon", "hot-air balloons", "balloon", "catfish")
    counted = counted_from_boxes([[box(label=label) for label in labels]], ["cats", "dog", "hot air balloons"], 1)
    assert counted.numbers.tolist() == [[3, 1, 2]]
    assert counted_from_boxes([[box(label=label) for label in labels]], ["mice"], 1).numbers.tolist() == [[0]]


@pytest.mark.parametrize(
    ("boxes", "nouns", "message"),
    [
        ([[box()], []], ["cats"], "boxes are of 2 pictures, but there is 1 picture. Give the detector exactly these"),
        (
            {"x": 1},
            ["cats"],
            "boxes are a dict, but boxes are dicts with x, y, width and height, in one list per picture",
        ),
        ([{"x": 1, "y": 2}], ["cats"], "a box is .* without width, height"),
        ([(1, 2, 3, 4)], ["cats"], "a box is 1, without x, y, width, height"),
        ([box(), [box()]], ["cats"], "a box is .* without x, y"),
        ([[box()]], ["cats", "dogs"], "several kinds of things are asked for, and a box without a label"),
    ],
)
def test_what_it_says_to_wrong_boxes(boxes: Any, nouns: list[str], message: str) -> None:
    with pytest.raises(CountError, match=message):
        counted_from_boxes(boxes, nouns, 1)
