"""What a repair changes, where, and which pixels."""

from __future__ import annotations

import pytest
import torch
from headcount.core.counting import Box, Counted
from headcount.core.errors import CountError
from headcount.core.repair import (
    Change,
    PictureObjects,
    crop_around,
    free_places,
    joined,
    picture_objects,
    plan_changes,
    region_mask,
    resized,
    smooth_fill,
)
from hypothesis import given
from hypothesis import strategies as st

SIZE = (96, 128)


def box(x: float, y: float, label: str = "cat", score: float | None = 0.9, side: float = 20) -> Box:
    return Box(x, y, side, side, label, score)


def objects(*boxes: Box, nouns: tuple[str, ...] = ("cats", "dogs")) -> PictureObjects:
    numbers = torch.tensor([[float(sum(one.label == noun[:-1] for one in boxes)) for noun in nouns]])
    given_boxes = [vars(one) for one in boxes]
    counted = Counted(nouns, numbers, (tuple(() for _ in nouns),), ([dict(one) for one in given_boxes],))
    return picture_objects(counted, dict.fromkeys(nouns, 0), SIZE)


def overlap(one: Box, other: Box) -> float:
    width = min(one.x + one.width, other.x + other.width) - max(one.x, other.x)
    height = min(one.y + one.height, other.y + other.height) - max(one.y, other.y)
    return max(0.0, width) * max(0.0, height)


def test_objects_by_noun_and_the_others() -> None:
    seen = objects(box(0, 0), box(40, 0, "red dog"), box(80, 0, "bird"))
    assert [len(seen.boxes[noun]) for noun in ("cats", "dogs")] == [1, 1]
    assert [one.label for one in seen.others] == ["bird"] and len(seen.all_boxes) == 3


def test_points_become_boxes_that_do_not_reach_their_neighbours() -> None:
    counted = Counted(("cats",), torch.tensor([[3.2]]), ((((20.0, 20.0), (30.0, 20.0), (90.0, 70.0)),),))
    seen = picture_objects(counted, {"cats": 2}, SIZE)
    assert [one.width for one in seen.boxes["cats"]] == [10, 10, 24] and seen.numbers == {"cats": 3}


def test_a_counter_that_says_no_place() -> None:
    with pytest.raises(CountError, match="there are 3 cats, and not where: it gives neither boxes nor points"):
        picture_objects(Counted(("cats",), torch.tensor([[3.0]]), (((),),)), {"cat": 2}, SIZE)


def test_a_right_picture_needs_nothing() -> None:
    assert plan_changes(objects(box(0, 0), box(40, 0, "dog")), {"cats": 1, "dogs": 1}) == ()


def test_the_least_sure_object_goes_first_and_the_next_one_after_a_failure() -> None:
    seen = objects(box(0, 0, score=0.8), box(40, 0, score=0.4), box(80, 0, score=0.6))
    assert [change.box.score for change in plan_changes(seen, {"cats": 1, "dogs": 0})] == [0.4, 0.6]
    assert [change.box.score for change in plan_changes(seen, {"cats": 2, "dogs": 0}, 1)] == [0.6]
    assert [change.box.score for change in plan_changes(seen, {"cats": 2, "dogs": 0}, 3)] == [0.4]


def test_an_object_that_others_cover_stays_longer() -> None:
    seen = objects(box(0, 0, score=0.5), box(10, 0, score=0.6), box(80, 0, score=0.9))
    [change] = plan_changes(seen, {"cats": 2, "dogs": 0})
    assert change.box.score == 0.9, "0.5 and 0.6 share half of their area"


def test_a_surplus_object_becomes_the_missing_one() -> None:
    seen = objects(box(0, 0), box(40, 0, score=0.3), box(80, 0, score=0.5))
    changes = plan_changes(seen, {"cats": 1, "dogs": 1})
    assert [change.words for change in changes] == ["1 cat changed into 1 dog", "1 cat removed"]
    assert changes[0].box.score == 0.3


def test_missing_objects_come_apart_from_all_others() -> None:
    seen = objects(box(0, 0), box(40, 40, "bird"))
    changes = plan_changes(seen, {"cats": 3, "dogs": 1})
    assert [change.words for change in changes] == ["1 cat added", "1 cat added", "1 dog added"]
    every = [*seen.all_boxes, *(change.box for change in changes)]
    assert all(overlap(one, other) == 0 for i, one in enumerate(every) for other in every[:i])


def test_an_empty_picture_gets_its_first_object_in_the_middle() -> None:
    [change] = plan_changes(objects(), {"cats": 1, "dogs": 0})
    assert change.box.middle == pytest.approx((64, 48)) and change.box.width == 48


@given(
    st.lists(st.tuples(st.floats(-10, 120), st.floats(-10, 90), st.floats(5, 60)), max_size=8),
    st.floats(4, 90),
    st.floats(4, 90),
)
def test_places_are_in_the_picture_and_only_the_first_may_touch(
    taken: list[tuple[float, float, float]], width: float, height: float
) -> None:
    there = [box(x, y, side=side) for x, y, side in taken]
    places = free_places(there, (width, height), SIZE)
    assert 1 <= len(places) <= 4
    for place in places:
        assert place.x >= -1e-6 and place.x + place.width <= 128 + 1e-6
        assert place.y >= -1e-6 and place.y + place.height <= 96 + 1e-6
    assert all(overlap(place, other) < 1e-6 for place in places[1:] for other in there)


def test_a_crowded_picture_gets_a_smaller_object() -> None:
    grid = [box(x, y, side=24) for x in (0, 34, 68, 102) for y in (0, 34, 68)]
    [place, *_] = free_places([*grid[:4], *grid[5:]], (60, 60), SIZE)
    assert place.width == pytest.approx(33) and 34 < place.middle[0] < 60


def test_the_region_grows_and_falls_and_spares() -> None:
    mask = region_mask(Box(40, 40, 20, 10), SIZE, 0.25, 4)
    assert mask[35:55, 35:65].min() == 1 and (mask > 0).nonzero().amin(0).tolist() == [31, 31]
    assert mask[45, 31:36].diff().gt(0).all()
    other = Box(60, 30, 30, 30)
    spared = region_mask(Box(40, 40, 20, 10), SIZE, 0.25, 4, [other])
    assert spared[45, 61:].max() == 0 and spared[45, 50] == 1


def test_what_overlaps_the_object_itself_is_painted() -> None:
    assert region_mask(Box(40, 40, 20, 10), SIZE, 0, 0, [Box(30, 30, 50, 50)])[40:50, 40:60].min() == 1


def test_the_fill_continues_what_is_around() -> None:
    ramp = torch.linspace(0, 1, 128).expand(96, 128).unsqueeze(-1).expand(-1, -1, 3).clone()
    broken = ramp.clone()
    broken[40:56, 50:70] = 0
    region = region_mask(Box(50, 40, 20, 16), SIZE, 0.1, 2)
    filled = smooth_fill(broken, region)
    assert torch.equal(filled[region == 0], broken[region == 0])
    assert (filled - ramp).abs().max() < 0.12
    assert torch.equal(smooth_fill(broken, torch.ones(SIZE)), broken), "nothing is known"


def test_pixels_outside_stay_to_the_bit() -> None:
    image, painted = torch.rand(*SIZE, 3), torch.rand(*SIZE, 3)
    region = region_mask(Box(30, 30, 20, 20), SIZE, 0.2, 6)
    result = joined(image, painted, region)
    assert torch.equal(result[region == 0], image[region == 0])
    assert torch.allclose(result[region == 1], painted[region == 1])


@given(st.floats(-20, 140), st.floats(-20, 110), st.floats(1, 80), st.floats(1.5, 10))
def test_a_crop_has_the_form_of_the_picture(x: float, y: float, side: float, context: float) -> None:
    crop = crop_around(box(x, y, side=side), SIZE, context)
    part = crop.of(torch.zeros(*SIZE, 3))
    assert part.shape[0] >= 1 and abs(part.shape[0] / 96 - part.shape[1] / 128) <= 1 / 96 + 1e-9
    assert crop.rows.start >= 0 and crop.rows.stop <= 96 and crop.columns.start >= 0 and crop.columns.stop <= 128


def test_a_crop_holds_the_margin() -> None:
    crop = crop_around(Box(60, 50, 4, 4), SIZE, 2.5, 14)
    assert crop.rows.start <= 36 and crop.rows.stop >= 68 and crop.columns.start <= 46 and crop.columns.stop >= 78


def test_a_large_context_is_the_whole_picture() -> None:
    assert crop_around(box(5, 5), SIZE, float("inf")).of(torch.zeros(*SIZE)).shape == SIZE


def test_resizing_to_the_same_size_changes_nothing() -> None:
    image = torch.rand(*SIZE, 3)
    assert resized(image, SIZE) is image and resized(image, (48, 64)).shape == (48, 64, 3)


def test_changes_in_words() -> None:
    assert Change(box(0, 0), None, "mice").words == "1 mouse added"
