"""Our way to read and correct a layout: counts, tracks and places on made-up attention, small grids first of all."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from headcount.core.numina import ROBUST, Layouts, read_layouts
from headcount.core.numina.masks import disc
from headcount.core.numina.robust.instances import split_at_dips, split_by_attention
from headcount.core.numina.robust.nouns import noun_mask
from headcount.core.numina.robust.placement import place_free
from headcount.core.numina.robust.refinement import NounInstances, refine_video
from headcount.core.numina.robust.tracking import follow, number_of
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import max_pool2d

from .scenes import Look, Scene, attend, make_scene

THINGS = ROBUST.layout.robust


def layouts(scene: Scene, asked: Sequence[int]) -> Layouts:
    return read_layouts(scene.reading(ROBUST.layout), asked, ROBUST.layout)


@pytest.mark.parametrize(("grid", "side"), [((16, 16), 3), ((30, 52), 5)])
@pytest.mark.parametrize("number", range(1, 9))
def test_up_to_eight_things_are_found(number: int, grid: tuple[int, int], side: int) -> None:
    scene = make_scene((number,), grid, number, side=side)
    found = layouts(scene, (number,))
    assert found.counts.tolist() == [[number]] and not found.changed
    for thing in range(1, number + 1):  # each under a number of its own
        own = found.before[0, 0][scene.things[0, 0] == thing]
        assert (own == own.mode().values).float().mean() > 0.5 and own.mode().values > 0


@pytest.mark.parametrize("number", [1, 2])
def test_things_of_three_cells_on_a_grid_of_eight(number: int) -> None:
    """Things that fill a third of the frame each."""
    scene = make_scene((number,), (8, 8), number, side=3)
    assert layouts(scene, (number,)).counts.tolist() == [[number]]


def test_several_nouns_keep_to_themselves() -> None:
    scene = make_scene((3, 2, 1), (16, 16), 1)
    found = layouts(scene, (3, 2, 1))
    assert found.counts.tolist() == [[3], [2], [1]]
    for noun in range(3):
        others = scene.things[[other for other in range(3) if other != noun], 0] > 0
        assert not found.before[noun, 0][others.any(0)].any()


def test_things_that_touch_are_parted_by_self_attention() -> None:
    """Two boxes side by side: no dip between them, only the self-attention knows."""
    things = torch.zeros(1, 1, 16, 16, dtype=torch.int64)
    things[..., 4:9, 3:8], things[..., 4:9, 8:13] = 1, 2
    counts = {}
    for like in (0.2, 1.0):  # 1: the self-attention does not know either
        scene = attend(things, Look(like=like), torch.Generator().manual_seed(0))
        counts[like] = layouts(scene, (2,)).counts.item()
    assert counts == {0.2: 2, 1.0: 1}


def test_a_cell_belongs_to_one_noun() -> None:
    maps = torch.rand(3, 2, 9, 9, generator=torch.Generator().manual_seed(0)) ** 4
    cells = noun_mask(maps, 1.0)
    assert cells.sum(0).max() == 1 and cells.flatten(1).any(1).all()


def test_a_noun_that_is_nowhere_has_no_cells() -> None:
    generator = torch.Generator().manual_seed(0)
    maps = 0.2 + 0.02 * torch.rand(2, 1, 16, 16, generator=generator)
    maps[1, 0, 3:6, 3:6] += 1
    cells = noun_mask(maps, THINGS.contrast)
    assert not cells[0].any()
    assert cells[1].sum() == 9


@pytest.mark.parametrize(("saddle", "number"), [(0.74, 2), (0.78, 1)])
def test_two_peaks_are_two_things_when_the_pass_is_low(saddle: float, number: int) -> None:
    ridge = torch.tensor([[0.8, 1.0, 0.8, saddle, 0.85, 0.95, 0.85]]).expand(3, -1).clone()
    ridge[0] *= 0.99  # the lower peak is 0.95, and 0.8 of it 0.76
    parts = split_at_dips(ridge, ridge > 0, THINGS.dip, 3)
    assert len(parts) == number
    assert sorted(int(cell) for part in parts for cell in part) == list(range(21))


def video(*frames: dict[int, tuple[int, int]]) -> list[list[Tensor]]:
    """Masks of 3 x 3 boxes on a 20 x 20 grid at given corners."""
    shown = []
    for frame in frames:
        masks = [torch.zeros(20, 20, dtype=torch.bool) for _ in frame]
        for mask, (y, x) in zip(masks, frame.values(), strict=True):
            mask[y : y + 3, x : x + 3] = True
        shown.append(masks)
    return shown


def test_tracks_follow_things_that_move_and_pass_out_of_sight() -> None:
    frames = video(
        {0: (1, 1), 1: (10, 10)}, {1: (10, 12), 0: (2, 2)}, {1: (11, 13)}, {0: (3, 4), 1: (12, 14), 2: (17, 1)}
    )
    tracks = follow(frames, THINGS)
    assert [sorted(track.masks) for track in tracks] == [[0, 1, 3], [0, 1, 2, 3], [3]]
    assert tracks[1].masks[3][12, 14] and tracks[0].masks[3][3, 4]


@pytest.mark.parametrize(
    ("counts", "asked", "number"),
    [((2, 2, 3), 5, 2), ((2, 3), 5, 3), ((2, 3), 1, 2), ((0, 0, 4), 4, 0), ((1, 4), 3, 3)],
)
def test_a_video_has_one_count(counts: tuple[int, ...], asked: int, number: int) -> None:
    mask = torch.ones(2, 2, dtype=torch.bool)
    assert number_of([[mask] * count for count in counts], asked) == number


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 10_000), st.integers(8, 20), st.integers(8, 20), st.integers(1, 3), st.floats(0.0, 0.5))
def test_what_is_added_overwrites_nothing(seed: int, height: int, width: int, frames: int, share: float) -> None:
    generator = torch.Generator().manual_seed(seed)
    taken = torch.rand(frames, height, width, generator=generator) < share
    template = torch.rand(4, 3, generator=generator) < 0.8
    template[1, 1] = True
    added = place_free(template, taken)
    assert added.shape == taken.shape and not (added & taken).any()
    room = ~(max_pool2d(taken.float(), 3, stride=1, padding=1) > 0).any(0)
    if (
        torch.nn.functional.avg_pool2d(room[None, None].double(), (4, 3), 1) == 1
    ).any():  # there is a free place of its size
        assert (added == added[0]).all() and added[0].sum() == template.sum()
        assert not (max_pool2d(added.float(), 3, stride=1, padding=1).bool() & taken).any()


def test_added_things_are_where_nothing_is_in_any_frame() -> None:
    scene = make_scene((3, 2), (16, 16), 4, frames=4)
    found = layouts(scene, (5, 4))
    assert found.changed
    added = found.after >= 100
    assert torch.equal(found.after.masked_fill(added, 0), found.before)
    assert not (added & (scene.things > 0).any(0)).any()
    for noun, missing in ((0, 2), (1, 2)):
        for frame in range(4):
            assert found.after[noun, frame][added[noun, frame]].unique().tolist() == [100, 101][:missing]
        assert torch.equal(added[noun, 0], added[noun, 3])
    assert found.text(("cats", "dogs")) == (
        "cats: asked 5, found 3 3 3 3, added 2, removed 0\ndogs: asked 4, found 2 2 2 2, added 2, removed 0"
    )


def test_the_smallest_goes_in_all_frames() -> None:
    things = torch.zeros(1, 4, 16, 16, dtype=torch.int64)
    for frame in range(4):
        things[0, frame, 1 + frame : 6 + frame, 1:6] = 1
        things[0, frame, 2:5, 9:12] = 2
        things[0, frame, 10:15, 9:14] = 3
    found = layouts(attend(things, Look(), torch.Generator().manual_seed(0)), (2,))
    for frame in range(4):
        removed = found.after[0, frame] == -1
        assert removed[3, 10] and not removed[things[0, frame] == 1].any() and not removed[things[0, frame] == 3].any()


def test_all_go_when_none_is_asked() -> None:
    found = layouts(make_scene((3, 1), (16, 16), 2), (0, 1))
    assert (found.before[0] > 0).any() and (found.after[0][found.before[0] > 0] == -1).all()
    kept = found.before[1] > 0
    assert torch.equal(found.after[1][kept], found.before[1][kept]) and found.after.max() < 100


def test_a_thing_out_of_sight_goes_there_too() -> None:
    """Removed in the frame in which its noun's map does not show it, at the place of the nearest frame."""
    scene = make_scene((2,), (16, 16), 1, frames=5)
    scene.cross_queries[2] = torch.where(
        (scene.things[0, 2] == 1).flatten()[:, None], scene.cross_queries[2, :, :1] * 0, scene.cross_queries[2]
    )
    found = layouts(scene, (0,))
    assert found.counts.tolist() == [[2, 2, 1, 2, 2]]
    gone = found.after[0, 2][scene.things[0, 2] == 1] == -1
    assert gone.float().mean() > 0.6


@pytest.mark.parametrize("counts", [(2,), (3, 2)])
def test_half_precision_reads_the_same(counts: tuple[int, ...]) -> None:
    scene = make_scene(counts, (16, 16), 5, frames=2)
    half = Scene(scene.things, scene.queries.half(), scene.keys.half(), scene.cross_queries, scene.cross_keys)
    assert torch.equal(layouts(scene, counts).before, layouts(half, counts).before)


@pytest.mark.parametrize("frames", [1, 4])
def test_a_thing_too_many_becomes_one_that_is_missing(frames: int) -> None:
    scene = make_scene((3, 1), (16, 16), 5, frames=frames)
    found = layouts(scene, (2, 2))
    given_away = (found.before[0] > 0) & (found.after[0] == -1)
    assert given_away.any() and (found.after[1] >= 100).any()
    assert torch.equal(found.after[1] >= 100, given_away), "it stays where it is, as the other noun's"
    assert not (found.after[0] >= 100).any()


def test_what_goes_is_cleared_for_every_noun() -> None:
    scene = make_scene((3, 2), (16, 16), 6)
    found = layouts(scene, (1, 2))
    cleared = found.after[0] == -1
    assert cleared.any()
    kept = (found.after > 0).any(0)
    assert torch.equal(found.after[1] == -1, cleared & ~kept)
    assert found.text(("cats", "dogs")).endswith("dogs: asked 2, found 2, added 0, removed 0")
    edge = max_pool2d(((found.before[0] > 0) & cleared).float(), 3, stride=1, padding=1) > 0
    assert (cleared <= edge).all(), "no further than the neighbours"


@pytest.mark.parametrize(("cells", "number"), [(2, 0), (3, 1)])
def test_a_thing_has_three_cells(cells: int, number: int) -> None:
    shown = (torch.arange(16) < cells).view(4, 4)
    assert len(split_at_dips(shown.float(), shown, THINGS.dip, THINGS.least_cells)) == number


@pytest.mark.parametrize(("moved", "tracks"), [(3, 1), (4, 2)])
def test_a_thing_moves_by_its_side_at_most(moved: int, tracks: int) -> None:
    assert len(follow(video({0: (5, 5)}, {0: (5, 5 + moved)}), THINGS)) == tracks


@pytest.mark.parametrize(("hidden", "tracks"), [(4, 1), (5, 2)])
def test_a_thing_is_out_of_sight_for_four_frames_at_most(hidden: int, tracks: int) -> None:
    assert len(follow(video({0: (5, 5)}, *[{}] * hidden, {0: (5, 5)}), THINGS)) == tracks


def test_with_nothing_to_copy_a_disc_of_a_sixth_of_the_side_is_added() -> None:
    noun = NounInstances([], [], [], 1)
    _, after = refine_video([noun], (1, 30, 52), THINGS)
    assert int((after >= 100).sum()) == int(disc(5).sum()) == 81


def test_self_attention_parts_at_likeness_0_6_apart_and_among_strong_cells() -> None:
    """Two halves of a region, whose vectors have so much in common."""
    region, strength = torch.arange(16), torch.ones(4, 4)
    for common, number in ((0.35, 2), (0.45, 1)):  # alike within by 1, between by `common`
        sides = torch.tensor([[common**0.5, (1 - common) ** 0.5, 0], [common**0.5, 0, (1 - common) ** 0.5]])
        features = sides[(torch.arange(16) >= 8).long()].view(4, 4, 3)
        assert len(split_by_attention(region, strength, features, THINGS)) == number
    features = torch.eye(3)[(torch.arange(16) >= 8).long()].view(4, 4, 3)
    for weak, number in ((0.72, 2), (0.68, 1)):  # weak cells are not compared: one side is left
        strength = torch.where(torch.arange(16) >= 8, weak, 1.0).view(4, 4)
        assert len(split_by_attention(region, strength, features, THINGS)) == number
    assert THINGS.components == 8
