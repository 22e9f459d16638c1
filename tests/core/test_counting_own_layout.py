"""The artist's own layout: whose box is whose, in every form in which ComfyUI hands boxes on, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
import torch
from headcount.core.counting import UnitBox, own_layout
from headcount.core.errors import CountError
from headcount.core.prompts import CountedObject
from hypothesis import given
from hypothesis import strategies as st

SIZE = 256, 512  # height, width
CATS = (CountedObject("cats", 2),)
PETS = (*CATS, CountedObject("dog", 1))


def drawn(label: str | None, x: float = 0, y: float = 0, width: float = 128, height: float = 64) -> dict[str, Any]:
    box = {"x": x, "y": y, "width": width, "height": height}
    return box if label is None else box | {"label": label}


PETS_DRAWN = [drawn("cat"), drawn("dog", 256), drawn("Cats", 384, 192)]
AS_ELEMENTS = [
    {"type": "obj", "bbox": [0, 0, 250, 250], "desc": "cat"},
    {"type": "obj", "bbox": [0, 500, 250, 750], "desc": "dog", "color_palette": ["#ff0000"]},
    {"type": "obj", "bbox": [750, 750, 1000, 1000], "desc": "Cats"},
]


@pytest.mark.parametrize(
    "boxes",
    [
        PETS_DRAWN,
        [PETS_DRAWN],
        json.dumps(PETS_DRAWN),
        [drawn(None, box["x"], box["y"]) | {"metadata": {"desc": box["label"]}} for box in PETS_DRAWN],
        AS_ELEMENTS,
        [AS_ELEMENTS],
        json.dumps(AS_ELEMENTS),
    ],
    ids=["BOUNDING_BOX", "one list per image", "JSON", "BOUNDING_BOXES", "elements", "of an image", "as JSON"],
)
def test_every_form_gives_the_same_boxes(boxes: Any) -> None:
    cats = UnitBox(0, 0, 0.25, 0.25), UnitBox(0.75, 0.75, 1, 1)
    assert own_layout(boxes, PETS, SIZE) == ((cats, (UnitBox(0.5, 0, 0.75, 0.25),)),)


def test_one_list_is_for_all_images_and_several_are_each_for_one() -> None:
    one = [drawn("cat"), drawn("cat", 128)]
    other = [drawn("cat", 256), drawn("cat", 128)]
    assert own_layout(one, CATS, SIZE, 3) == own_layout(one, CATS, SIZE) * 3
    assert own_layout([one, other], CATS, SIZE, 2) == (*own_layout(one, CATS, SIZE), *own_layout(other, CATS, SIZE))
    with pytest.raises(CountError, match="layout is of 2 images, but there are 3 in this run: give one list"):
        own_layout([one, other], CATS, SIZE, 3)


def test_a_single_box_needs_no_list_and_no_label() -> None:
    one = (CountedObject("cat", 1),)
    assert own_layout(drawn(None, 128, 64, 256, 128), one, SIZE) == (((UnitBox(0.25, 0.25, 0.75, 0.75),),),)


def test_adjectives_tell_objects_of_one_noun_apart_where_a_label_has_them() -> None:
    objects = CountedObject("cats", 1, ("red",)), CountedObject("cat", 2, ("blue",)), CountedObject("teddy bear", 1)
    boxes = [drawn("cat", 0), drawn("teddy bear", 64), drawn("red cat", 128), drawn("small blue cat", 256)]
    (layout,) = own_layout(boxes, objects, SIZE)
    assert [[box.left for box in own] for own in layout] == [[0.25], [0.5, 0], [0.125]]


def test_a_bear_is_no_teddy_bear() -> None:
    bears = CountedObject("bear", 1), CountedObject("teddy bear", 1)
    (layout,) = own_layout([drawn("bear"), drawn("teddy bear", 128)], bears, SIZE)
    assert [own[0].left for own in layout] == [0, 0.25]


@pytest.mark.parametrize(
    ("boxes", "message"),
    [
        (
            [drawn("mouse")],
            "labelled 'mouse', which the prompt does not ask for: label each .* 'cats' and 'dog', or let",
        ),
        ([drawn(None)], "has no label, and the prompt asks for 'cats' and 'dog': label each box .* at elements, its"),
        ([], "has 0 boxes for 'cats', but the prompt asks for 2: draw one box for each, or ask for 0"),
        ([drawn("cat"), drawn("dog")], "has 1 box for 'cats', but the prompt asks for 2"),
        ([*PETS_DRAWN, drawn("dog")], "has 2 boxes for 'dog', but the prompt asks for 1"),
        ([drawn("cat", 400)], "x 400, y 0, 128 wide .* outside of the image of 512 x 256: draw it on a canvas of that"),
        ([drawn("cat", y=-2)], "lies outside of the image"),
        ([drawn("cat", y=200)], "lies outside of the image"),
        ([drawn("cat", height=0)], "which has no area: its width and height must be above 0"),
        (
            [{"type": "obj", "bbox": [0, "a", 9, 9], "desc": "cat"}],
            "its left edge is nan, which is not a finite number",
        ),
        ([{"type": "obj", "bbox": [0, 1], "desc": "cat"}], "its corners must be four numbers"),
        ("cats", "which is not JSON of boxes"),
    ],
)
def test_what_is_no_layout_of_the_prompt_is_named(boxes: Any, message: str) -> None:
    with pytest.raises(CountError, match=message):
        own_layout(boxes, PETS, SIZE)


def test_a_pixel_beyond_the_edge_is_cut_off() -> None:
    (layout,) = own_layout([drawn("cat", -1, -1, 514, 258)], (CountedObject("cat", 1),), SIZE)
    assert layout == ((UnitBox(0, 0, 1, 1),),)


def test_cells_of_a_worked_box() -> None:
    cells = UnitBox(0.25, 0.5, 0.75, 1).cells((4, 8))
    assert cells.nonzero().tolist() == [[y, x] for y in (2, 3) for x in (2, 3, 4, 5)]


@given(st.tuples(*[st.floats(0, 1)] * 4), st.tuples(st.integers(1, 40), st.integers(1, 40)))
def test_a_box_has_about_as_many_cells_as_its_area_and_one_at_least(
    edges: tuple[float, float, float, float], grid: tuple[int, int]
) -> None:
    (left, right), (top, bottom) = sorted(edges[:2]), sorted(edges[2:])
    box = UnitBox(left, top, right, bottom)
    cells = box.cells(grid)
    assert cells.any() and cells.dtype == torch.bool and cells.shape == grid
    assert abs(int(cells.sum()) - (right - left) * (bottom - top) * grid[0] * grid[1]) <= 2 + grid[0] + grid[1]
