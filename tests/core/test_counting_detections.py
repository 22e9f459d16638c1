"""Detections to counts: duplicates, rivals between nouns, masks of boxes, and tiles that neither lose nor double an object."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.counting import (
    Box,
    Counted,
    Detected,
    box_inside,
    box_pixels,
    counted_detections,
    distinct,
    four_tiles,
    joined,
    object_masks,
)
from headcount.core.counting.tiles import OVERLAP, overlap_of
from headcount.core.errors import CountError
from hypothesis import given
from hypothesis import strategies as st

SIZE = (200, 300)


def seen(x: float, y: float, width: float = 20, height: float = 20, score: float = 0.9) -> Detected:
    return Detected(Box(x, y, width, height, score=score))


def with_mask(item: Detected, mask: torch.Tensor | None = None) -> Detected:
    left, top, right, bottom = box_pixels(item.box)
    return replace(item, mask=torch.ones(bottom - top, right - left, dtype=torch.bool) if mask is None else mask)


def test_duplicates_of_one_noun_count_once() -> None:
    strong, shifted, apart = seen(10, 10, score=0.5), seen(14, 10, score=0.9), seen(100, 10, score=0.7)
    assert distinct([[strong, shifted, apart]], ["cats"], 0.5) == ((shifted, apart),)
    assert distinct([[strong, shifted, apart]], ["cats"], 1.0) == ((shifted, apart, strong),)


def test_masks_tell_apart_what_boxes_do_not() -> None:
    """Two people who hug have nearly one box and two masks."""
    left = torch.zeros(20, 20, dtype=torch.bool)
    left[:, :10] = True
    one, other = with_mask(seen(10, 10), left), with_mask(seen(10, 10, score=0.8), ~left)
    assert distinct([[one, other]], ["people"], 0.5) == ((one, other),)
    assert distinct([[one, with_mask(seen(10, 10, score=0.8), left)]], ["people"], 0.5) == ((one,),)
    empty = torch.zeros(20, 20, dtype=torch.bool)
    assert distinct([[with_mask(seen(10, 10), empty), with_mask(seen(11, 10), empty)]], ["people"], 0.5)[0][1:] == ()


@pytest.mark.parametrize(
    ("nouns", "shift", "stays"),
    [
        (["red cars", "blue cars"], 3, (1, 0)),  # a car has one colour
        (["red cars", "cars"], 0, (1, 1)),  # a red car is a car
        (["women", "people"], 0, (1, 1)),  # and a woman a person
        (["cats", "dogs"], 0, (1, 0)),  # one animal, taken for both
        (["cats", "dogs"], 3, (1, 1)),  # one before the other
    ],
)
def test_rivals(nouns: list[str], shift: int, stays: tuple[int, int]) -> None:
    found = distinct([[seen(10, 10)], [seen(10 + shift, 10, score=0.8)]], nouns, 0.5)
    assert tuple(map(len, found)) == stays
    weaker_first = distinct([[seen(10, 10, score=0.7)], [seen(10 + shift, 10, score=0.8)]], nouns, 0.5)
    assert sum(map(len, weaker_first)) == sum(stays)


def test_counts_boxes_and_masks() -> None:
    one, other = with_mask(seen(1.5, 2.5, 4, 3)), with_mask(seen(3, 3, 10, 5, score=0.5))
    counted = counted_detections(["cats", "dogs"], [[[one, other], []], [[], [one]]], SIZE, has_masks=True)
    assert counted.numbers.tolist() == [[2, 0], [0, 1]] and counted.points[0] == (((3.5, 4.0), (8.0, 5.5)), ())
    assert [[box["label"] for box in boxes] for boxes in counted.boxes] == [["cats", "cats"], ["dogs"]]
    assert counted.masks.shape == (2, 2, *SIZE) and not counted.masks[0, 1].any() and not counted.masks[1, 0].any()
    each = object_masks(counted, SIZE)
    assert each.shape == (3, *SIZE) and each[0, 2:6, 1:6].all() and each[0].sum() == 4 * 5
    assert counted.masks[0, 0].equal(each[:2].amax(0)), "overlapping masks stay in 0..1"
    without = counted_detections(["cats"], [[[seen(1, 1)]]], SIZE, has_masks=False)
    assert without.masks is None and object_masks(without, SIZE) is None
    nobody = counted_detections(["cats"], [], SIZE, has_masks=False)
    assert nobody.numbers.shape == (0, 1)


def test_each_box_has_its_mask() -> None:
    with pytest.raises(CountError, match=r"gives \[1\] masks of objects for \[0\] boxes; each box needs its own"):
        Counted(("cats",), torch.zeros(1, 1), (((),),), ([],), object_masks=((torch.ones(1, 1) > 0,),))


def test_boxes_are_cut_at_the_edges() -> None:
    assert box_inside((-5, -5, 10, 400), SIZE, 0.5) == Box(0, 0, 10, 200, score=0.5)
    for beyond in ((-5, 0, 0.5, 10), (310, 0, 320, 10), (5, 5, 4, 10), (float("nan"), 0, 10, 10)):
        assert box_inside(beyond, SIZE, 0.5) is None


def test_tiles_cover_the_image_and_overlap() -> None:
    tiles = four_tiles(*SIZE)
    covered = torch.zeros(SIZE)
    for tile in tiles:
        covered[tile.top : tile.bottom, tile.left : tile.right] += 1
    assert covered.min() == 1 and covered.max() == 4
    across = tiles[0].right - tiles[1].left
    assert across / tiles[0].right == pytest.approx(OVERLAP, abs=0.01)


sides = st.integers(64, 400)


@given(sides, sides, st.data())
def test_tiles_neither_lose_nor_double(height: int, width: int, data: st.DataObject) -> None:
    """A detector that sees each object of an image, and of a tile what is in it, cut at its edges."""
    limit = overlap_of(height, width)
    box_sides = st.one_of(st.floats(2, max(2, limit)), st.floats(2, min(height, width) - 1))
    objects = []
    for index in range(data.draw(st.integers(0, 12))):
        across, down = data.draw(box_sides), data.draw(box_sides)
        x, y = data.draw(st.floats(0, width - across)), data.draw(st.floats(0, height - down))
        objects.append(seen(x, y, across, down, score=1 - index / 100))
    tiles = []
    for tile in four_tiles(height, width):
        size, found = (tile.bottom - tile.top, tile.right - tile.left), []
        for item in objects:
            x, y = item.box.x - tile.left, item.box.y - tile.top
            box = box_inside((x, y, x + item.box.width, y + item.box.height), size, item.box.score)
            found += [Detected(box)] if box else []
        tiles.append((tile, found))
    scores = [item.box.score for item in joined(objects, tiles)]
    assert set(scores) == {item.box.score for item in objects}, "none is lost"
    doubled = {score for score in scores if scores.count(score) > 1}
    large = {item.box.score for item in objects if max(item.box.width, item.box.height) > limit}
    assert doubled <= large, "what is seen twice is seen whole, so that its boxes are the same"
    both = [item for item in joined(objects, tiles) if item.box.score in doubled]
    assert len(distinct([both], ["cats"], 0.5)[0]) <= len(doubled)
