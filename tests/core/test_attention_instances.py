"""Instances out of maps with known blobs."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention.instances import (
    Box,
    bounding_box,
    noun_instances,
    outline_levels,
    prominence,
    self_attention_regions,
    split_into,
)
from headcount.core.attention.mean_maps import AttentionMaps
from headcount.core.errors import CountError
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from ..helpers.maps import blob_heat, random_maps

PLACES = st.tuples(st.integers(1, 22), st.integers(1, 26))


def separate(masks: torch.Tensor) -> bool:
    return set(masks.unique().tolist()) <= {0.0, 1.0} and (len(masks) == 0 or float(masks.sum(0).max()) <= 1)


@settings(max_examples=40, deadline=None)
@given(places=st.lists(PLACES, min_size=1, max_size=5, unique=True))
def test_every_blob_is_an_instance(places: list[tuple[int, int]]) -> None:
    gaps = [(a[0] - b[0]) ** 2 + (a[1] - b[1]) ** 2 for i, a in enumerate(places) for b in places[:i]]
    assume(all(gap >= 49 for gap in gaps))
    masks = noun_instances(blob_heat((24, 28), places), 0.5)
    assert len(masks) == len(places) and separate(masks)
    owners = {next(i for i, mask in enumerate(masks) if mask[place] > 0) for place in places}
    assert owners == set(range(len(places))), "each mask holds one centre"


def test_strongest_first() -> None:
    heat = blob_heat((12, 12), [(2, 2)]) * 0.7 + blob_heat((12, 12), [(9, 9)])
    masks = noun_instances(heat, 0.5)
    assert masks[0, 9, 9] == masks[1, 2, 2] == 1


def test_prominence_is_the_share_of_the_highest_peak() -> None:
    heat = blob_heat((12, 12), [(2, 2)]) * 0.7 + blob_heat((12, 12), [(9, 9)])
    assert prominence(heat, noun_instances(heat, 0.5)).tolist() == pytest.approx([1, 0.7], abs=0.02)
    assert prominence(torch.full((5, 7), 0.3), torch.ones(2, 5, 7)).tolist() == [0, 0]
    assert prominence(heat, torch.zeros(0, 12, 12)).shape == (0,)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), threshold=st.floats(0.05, 0.95))
def test_levels_are_positive_inside_an_instance_alone(seed: int, threshold: float) -> None:
    heat = torch.rand(9, 11, generator=torch.Generator().manual_seed(seed))
    for masks in (noun_instances(heat, threshold), split_into(heat, threshold, 4)):
        levels = outline_levels(heat, masks, threshold)
        assert torch.equal(levels > 0, masks > 0) and float(levels.abs().max()) <= 0.5


def test_an_edge_lies_where_the_heat_says() -> None:
    """Of two blobs with the same pixels, the wider one's levels are nearer to zero outside."""
    heats = [blob_heat((12, 12), [(6, 6)], width=width) for width in (1.5, 1.6)]
    masks = [noun_instances(heat, 0.5) for heat in heats]
    assert torch.equal(*masks)
    narrow, wide = (outline_levels(heat, mask, 0.5) for heat, mask in zip(heats, masks, strict=True))
    assert bool((wide[:, 6, 8] > narrow[:, 6, 8]).all())


def test_a_higher_threshold_gives_smaller_masks() -> None:
    heat = blob_heat((16, 16), [(8, 8)], width=3)
    sizes = [float(noun_instances(heat, threshold).sum()) for threshold in (0.2, 0.5, 0.8)]
    assert sizes[0] > sizes[1] > sizes[2] > 0


def test_a_plateau_is_one_thing() -> None:
    """A blob between pixels has several highest ones, and half precision makes more."""
    between = blob_heat((12, 12), [(3, 3), (3, 4), (4, 3), (4, 4), (9, 9)])
    assert len(noun_instances(between, 0.5)) == 2
    flat_top = blob_heat((12, 12), [(6, 6)], width=3).clamp_max(0.7)
    masks = noun_instances(flat_top, 0.5)
    assert len(masks) == 1 and masks[0, 6, 6] == 1


@pytest.mark.parametrize("level", [0.0, 0.37, 1.0])
def test_a_flat_map_shows_nothing(level: float) -> None:
    assert noun_instances(torch.full((5, 7), level), 0.5).shape == (0, 5, 7)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), instances=st.integers(1, 6), threshold=st.floats(0.05, 0.95))
def test_split_into_gives_as_many_as_asked(seed: int, instances: int, threshold: float) -> None:
    heat = torch.rand(6, 7, generator=torch.Generator().manual_seed(seed))
    masks = split_into(heat, threshold, instances)
    assert masks.shape == (instances, 6, 7) and separate(masks)
    assert (masks.flatten(1).sum(1) > 0).all(), "no instance is empty where pixels differ"


def test_split_into_finds_the_blobs() -> None:
    places = [(3, 3), (3, 15), (14, 8)]
    masks = split_into(blob_heat((18, 20), places), 0.5, 3)
    assert sorted(int(masks[:, y, x].argmax()) for y, x in places) == [0, 1, 2]
    assert all(masks[:, y, x].sum() == 1 for y, x in places)


def test_split_into_lowers_a_threshold_that_leaves_too_little() -> None:
    masks = split_into(blob_heat((9, 9), [(4, 4)], width=0.3), 0.95, 4)
    assert masks.shape[0] == 4 and masks.sum() == 4


def test_split_a_flat_map() -> None:
    masks = split_into(torch.zeros(4, 4), 0.5, 2)
    assert masks.shape == (2, 4, 4) and masks.sum() == 16


def test_more_instances_than_pixels() -> None:
    with pytest.raises(CountError, match="4 pixels cannot form 5 clusters"):
        split_into(torch.rand(2, 2), 0.5, 5)


def test_regions_are_what_looks_at_itself() -> None:
    own = torch.full((1, 64, 64), 1e-3)
    groups = [[9, 10, 17, 18], [45, 46, 53, 54]]
    for group in groups:
        own[0, [[p] for p in group], group] = 0.25
    cross = torch.zeros(1, 64, 3)
    cross[0, [*groups[0], *groups[1]], 1] = 1.0
    regions = self_attention_regions(AttentionMaps(own, cross, (8, 8)), 0, ((1,),), 2)
    assert regions.shape == (2, 8, 8) and separate(regions)
    found = sorted(region.flatten().nonzero().flatten().tolist() for region in regions)
    assert found == groups


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 99), regions=st.integers(1, 5), item=st.integers(0, 1))
def test_regions_of_any_maps(seed: int, regions: int, item: int) -> None:
    maps = random_maps((4, 5), 6, seed, batch=2, dtype=torch.float32)
    masks = self_attention_regions(maps, item, ((1,), (2, 3)), regions)
    assert masks.shape == (regions, 4, 5) and masks.dtype == torch.float32 and separate(masks)


@given(top=st.integers(0, 5), left=st.integers(0, 6), height=st.integers(1, 4), width=st.integers(1, 4))
def test_bounding_box(top: int, left: int, height: int, width: int) -> None:
    mask = torch.zeros(10, 11)
    mask[top : top + height, left : left + width] = 1
    assert bounding_box(mask) == Box(left, top, width, height)


def test_bounding_box_of_nothing() -> None:
    assert bounding_box(torch.zeros(3, 3)) is None
