"""Maps and masks over pictures."""

from __future__ import annotations

import pytest
import torch
from headcount.core.drawing.colours import distinct_colours, heat_colours
from headcount.core.drawing.overlay import heat_overlay, plain_picture, region_overlay, resize_maps
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st

SIZE = st.tuples(st.integers(1, 24), st.integers(1, 24))


def test_heat_gets_brighter() -> None:
    colours = heat_colours(torch.linspace(0, 1, 101))
    assert colours.shape == (101, 3) and colours.min() >= 0 and colours.max() <= 1
    brightness = colours @ torch.tensor([0.299, 0.587, 0.114])
    assert (brightness.diff() > 0).all()


def test_heat_outside_of_the_range_is_clamped() -> None:
    assert torch.equal(heat_colours(torch.tensor([-3.0, 7.0])), heat_colours(torch.tensor([0.0, 1.0])))


def test_heat_keeps_the_shape() -> None:
    assert heat_colours(torch.rand(2, 3, 4)).shape == (2, 3, 4, 3)


@pytest.mark.parametrize("count", [0, 1, 2, 10])
def test_distinct_colours(count: int) -> None:
    colours = distinct_colours(count)
    assert colours.shape == (count, 3)
    for index in range(count):
        for other in range(index):
            assert (colours[index] - colours[other]).abs().max() > 0.1


@settings(max_examples=30, deadline=None)
@given(grid=SIZE, size=SIZE, seed=st.integers(0, 99))
def test_resized_maps_stay_in_range(grid, size, seed) -> None:
    maps = torch.rand(2, 3, *grid, generator=torch.Generator().manual_seed(seed))
    found = resize_maps(maps, size)
    assert found.shape == (2, 3, *size)
    assert (found.amax((2, 3)) <= maps.amax((2, 3)) + 1e-6).all()
    assert (found.amin((2, 3)) >= maps.amin((2, 3)) - 1e-6).all()


def test_resized_maps_stay_in_place() -> None:
    maps = torch.zeros(4, 6)
    maps[1, 4] = 1.0
    place = resize_maps(maps, (32, 48)).flatten().argmax()
    assert (int(place) // 48 // 8, int(place) % 48 // 8) == (1, 4)


def test_resizing_no_maps() -> None:
    assert resize_maps(torch.zeros(0, 4, 4), (32, 32)).shape == (0, 32, 32)


def test_plain_picture() -> None:
    picture = plain_picture(2, (3, 4))
    assert picture.shape == (2, 3, 4, 3) and picture.unique().numel() == 1


@given(opacity=st.floats(0, 1))
@settings(max_examples=20, deadline=None)
def test_heat_overlay_stays_a_picture(opacity: float) -> None:
    picture, heat = torch.rand(2, 5, 6, 3), torch.rand(2, 5, 6)
    before = picture.clone()
    found = heat_overlay(picture, heat, opacity)
    assert found.shape == picture.shape and found.min() >= 0 and found.max() <= 1
    assert torch.equal(picture, before)


def test_heat_overlay_at_both_ends() -> None:
    picture, heat = torch.rand(1, 5, 6, 3), torch.rand(1, 5, 6)
    heat[0, 2, 3] = 1.0
    assert torch.equal(heat_overlay(picture, heat, 0.0), picture)
    torch.testing.assert_close(heat_overlay(picture, heat, 1.0)[0, 2, 3], heat_colours(torch.tensor(1.0)))


def test_heat_overlay_of_another_size() -> None:
    with pytest.raises(CountError, match=r"images of \(1, 5, 6\) do not fit maps of \(1, 6, 5\)"):
        heat_overlay(torch.rand(1, 5, 6, 3), torch.rand(1, 6, 5), 0.5)


def test_region_overlay() -> None:
    picture = torch.rand(9, 9, 3)
    masks = torch.zeros(2, 9, 9)
    masks[0, 1:6, 1:6] = 1
    masks[1, 7, 7] = 1
    found = region_overlay(picture, masks, 0.8)
    changed = (found != picture).any(-1)
    assert torch.equal(changed, masks.amax(0) > 0)
    inside, line = (found[3, 3] - picture[3, 3]).abs().max(), (found[1, 1] - distinct_colours(2)[0]).abs().max()
    assert inside > 0 and line < 0.25, "the line around it is nearly its pure colour"
    assert found.min() >= 0 and found.max() <= 1


def test_region_overlay_at_opacity_0_or_without_regions() -> None:
    picture = torch.rand(4, 4, 3)
    assert torch.equal(region_overlay(picture, torch.ones(1, 4, 4), 0.0), picture)
    assert torch.equal(region_overlay(picture, torch.zeros(0, 4, 4), 0.7), picture)
