"""Boxes in every form that detectors hand on, and what is said of those that cannot be read."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

import numpy as np
import pytest
import torch
from headcount.core.counting.box import Box
from headcount.core.counting.box_forms import read_boxes
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st


class Seg(NamedTuple):
    """A segment as Impact Pack's nodes hand it on."""

    cropped_image: Any
    cropped_mask: Any
    confidence: Any
    crop_region: Any
    bbox: Any
    label: str
    control_net_wrapper: Any


def seg(bbox: Any, label: str = "cat", confidence: Any = 0.9) -> Seg:
    return Seg(None, np.ones((2, 2)), confidence, (0, 0, 9, 9), bbox, label, None)


DICT = {"x": 10, "y": 20, "width": 30, "height": 40}
CORNERS = [10, 20, 40, 60]
BARE, NAMED, SURE = Box(10, 20, 30, 40), Box(10, 20, 30, 40, "cat"), Box(10, 20, 30, 40, "cat", 0.9)


@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (DICT, BARE),
        ([DICT], BARE),
        ([[DICT]], BARE),
        ([[DICT | {"label": "cat", "score": 0.9, "metadata": {}}]], SURE),
        (((512, 640), [seg((10, 20, 40, 60))]), SURE),
        ([((512, 640), [seg(np.array(CORNERS), confidence=np.array([0.9]))])], SURE),
        (CORNERS, BARE),
        ([CORNERS], BARE),
        ([tuple(CORNERS)], BARE),
        ([[CORNERS]], BARE),
        ([[*CORNERS, 0.5]], Box(10, 20, 30, 40, "", 0.5)),
        ([[*CORNERS, 0.5, 3]], Box(10, 20, 30, 40, "", 0.5)),
        (torch.tensor([CORNERS]), BARE),
        (torch.tensor([[CORNERS]]), BARE),
        ([torch.tensor([CORNERS])], BARE),
        (torch.tensor(CORNERS), BARE),
        (np.array([CORNERS]), BARE),
        ([[torch.tensor(CORNERS)]], BARE),
        ({"bboxes": [CORNERS], "labels": ["cat"]}, NAMED),
        ([{"bboxes": [CORNERS], "labels": ["cat"]}], NAMED),
        ({"<OD>": {"bboxes": [CORNERS], "labels": ["cat"]}}, NAMED),
        ({"bboxes": [CORNERS], "bboxes_labels": ["cat"], "polygons": []}, NAMED),
        (
            {"boxes": torch.tensor([CORNERS]), "labels": ["cat"], "scores": torch.tensor([0.9], dtype=torch.float64)},
            SURE,
        ),
        ({"boxes": torch.tensor([CORNERS]), "labels": torch.tensor([17])}, BARE),
        ({"boxes": torch.tensor([CORNERS]), "labels": torch.tensor([0]), "text_labels": ["cat"]}, NAMED),
        ([{"score": 0.9, "label": "cat", "box": {"xmin": 10, "ymin": 20, "xmax": 40, "ymax": 60}}], SURE),
        ([{"bbox_2d": CORNERS, "label": "cat"}], NAMED),
        ([{"bbox": CORNERS, "class_name": "cat", "confidence": 0.9}], SURE),
        ([{"x1": 10, "y1": 20, "x2": 40, "y2": 60}], BARE),
        ({"objects": [{"bbox_2d": CORNERS, "label": "cat"}]}, NAMED),
        ([{"x": "10", "y": "2e1", "width": torch.tensor(30), "height": np.float32(40)}], BARE),
    ],
)
def test_one_box_in_every_form(boxes: Any, expected: Box) -> None:
    assert read_boxes(boxes, 1) == [[expected]]


@pytest.mark.parametrize(
    "boxes",
    [
        [[DICT | {"label": "cat"}], [], [DICT, DICT]],
        [((9, 9), [seg(CORNERS)]), ((9, 9), []), ((9, 9), [seg(CORNERS)] * 2)],
        [[CORNERS], [], [CORNERS, CORNERS]],
        [torch.tensor([CORNERS]), torch.zeros(0, 4), torch.tensor([CORNERS, CORNERS])],
        [{"bboxes": [CORNERS]}, {"bboxes": []}, {"bboxes": [CORNERS, CORNERS], "labels": ["cat", "dog"]}],
        [[DICT], None, [DICT, DICT]],
        [json.dumps([DICT]), "[]", json.dumps({"bboxes": [CORNERS, CORNERS]})],
    ],
)
def test_a_list_of_one_per_picture(boxes: Any) -> None:
    rows = read_boxes(boxes, 3)
    assert [len(row) for row in rows] == [1, 0, 2]
    assert all((box.x, box.y, box.width, box.height) == (10, 20, 30, 40) for row in rows for box in row)


@pytest.mark.parametrize(
    "boxes",
    [DICT, [[DICT], [DICT, DICT]], [CORNERS, CORNERS], {"bboxes": [CORNERS], "labels": ["cat"]}, [], [[], []]],
)
def test_json_text_of_every_form(boxes: Any) -> None:
    pictures = 2 if boxes in ([], [[], []], [[DICT], [DICT, DICT]]) else 1
    for text in (json.dumps(boxes), f" {json.dumps(boxes, indent=2)}\n", f"```json\n{json.dumps(boxes)}\n```"):
        assert read_boxes(text, pictures) == read_boxes(boxes, pictures)


@pytest.mark.parametrize("nothing", [[], (), torch.zeros(0, 4), "[]", [[], []], [None, None], torch.zeros(2, 0, 4)])
def test_nothing_found(nothing: Any) -> None:
    assert read_boxes(nothing, 2) == [[], []]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        ([DICT | {"x": None}], "a box is {.*'x': None.*}, and its x is None, which is not a finite number"),
        ([DICT | {"y": float("nan")}], "its y is nan, which is not a finite number"),
        ([DICT | {"width": float("inf")}], "its width is inf, which"),
        ([DICT | {"height": "tall"}], "its height is 'tall', which"),
        ([DICT | {"x": True}], "its x is True, which"),
        ([DICT | {"x": [1, 2]}], r"its x is \[1, 2\], which"),
        ([DICT | {"x": torch.tensor([1, 2])}], "which is not a finite number"),
        ([DICT | {"x": 10**400}], "which is not a finite number"),
        ([DICT | {"x": 10**5000}], "which is not a finite number"),
        ([DICT | {"width": -5}], "its width and height must be 0 or more"),
        ([DICT | {"score": "high"}], "its score is 'high', which"),
        ([DICT | {"score": float("nan")}], "its score is nan, which"),
        (
            [[10, 20, 5, 60]],
            r"a box is \[10, 20, 5, 60\], whose right edge lies left of its left edge. Four numbers are",
        ),
        ([[10, 20, 40, 6]], "whose bottom edge lies above its top edge"),
        ([[10, None, 40, 60]], "its top edge is None, which is not a finite number"),
        ([[[10, 20, 40, float("nan")]]], "its bottom edge is nan"),
        ([{"bbox": [1, 2, 3]}], "its corners must be four numbers: left, top, right and bottom"),
        ([{"bbox": None}], "its corners must be four numbers"),
        ([{"w": 1, "h": 2}], "a box is .*, without x, y, width, height; .* SEGS, lists of corners .* are read too"),
        ({"bboxes": [CORNERS], "labels": ["cat", "dog"]}, "has 1 boxes, but 2 labels"),
        ({"bboxes": [CORNERS] * 2, "scores": [0.1]}, "has 2 boxes, but 1 scores"),
        ({"bboxes": None}, "holds no list of boxes"),
        ({"bboxes": "no"}, "holds no list of boxes"),
        ({"boxes": [7]}, "holds no list of boxes"),
        ({"masks": 3}, "a box is 3, without x, y, width, height"),
        ({"a": {"b": {"c": {"d": {"e": 1}}}}}, "a box is .* without x"),
        (json.dumps([]).join(['{"a": ' * 900, "}" * 900]), "a box is .* without x"),
        ({}, "a box is {}, without x, y, width, height"),
        (None, "boxes are nothing, but boxes are dicts with"),
        (3.5, "boxes are a float, 3.5, but"),
        (["cat"], "boxes are the text 'cat', which is not JSON of boxes"),
        ("two cats", r"boxes are the text 'two cats', which is not JSON of boxes \(Expecting value"),
        ("", "boxes are the text '', which is not JSON"),
        ("[" * 100_000, "which is not JSON of boxes"),
        ("null", "boxes are nothing"),
        ("[[1, 2, 3, NaN]]", "its bottom edge is nan"),
        ([[[[DICT]]]], r"a box is \[\[.*, without x, y, width, height"),
        ([DICT, CORNERS, None], "a box is None, without"),
        (((512, 512), [1]), "a box is 1, without"),
        ([[DICT], [DICT]], "the boxes are of 2 images, but there is 1 image. Give the detector exactly these"),
    ],
)
def test_what_cannot_be_read_is_named(boxes: Any, message: str) -> None:
    with pytest.raises(CountError, match=message):
        read_boxes(boxes, 1)


def test_boxes_may_reach_beyond_the_image() -> None:
    assert read_boxes([DICT | {"x": -5, "y": -1e3}], 1)[0][0].middle == (10, -980)


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 50) | st.floats() | st.text(max_size=5) | st.just(seg(CORNERS)),
    lambda inner: (
        st.lists(inner, max_size=6)
        | st.dictionaries(
            st.sampled_from(["x", "y", "width", "height", "bboxes", "labels", "bbox", "score", "a"]), inner
        )
    ),
    max_leaves=12,
)


@given(ANYTHING, st.integers(1, 3))
@settings(max_examples=300, deadline=None)
def test_anything_is_read_or_refused(boxes: Any, pictures: int) -> None:
    try:
        rows = read_boxes(boxes, pictures)
    except CountError as error:
        assert str(error) and len(str(error)) < 2000
    else:
        assert len(rows) == pictures and all(isinstance(box, Box) for row in rows for box in row)
