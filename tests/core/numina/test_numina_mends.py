"""What goes wrong in the released code (RELEASE) and does not in ours (ROBUST), one test for each."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.numina import PAPER, RELEASE, ROBUST, Layouts, Preset, read_layouts, row_bias
from headcount.core.numina.published.refinement import refine, refine_frames
from torch import Tensor

from .scenes import Look, Scene, attend

# The released code as it would be on a CPU, where its decomposition works.
ON_A_CPU = Preset(replace(RELEASE.layout, published=replace(RELEASE.layout.published, head_components="pca")))
KNOWS_THINGS, KNOWS_PLACES = 1, 2  # heads of a scene
CLEAR = Look(sharpness=12)


def layouts(scene: Scene, asked: tuple[int, ...], preset: Preset) -> Layouts:
    return read_layouts(scene.reading(preset.layout), asked, preset.layout)


def boxes(*corners: tuple[int, int], side: int = 5, grid: tuple[int, int] = (24, 32), frames: int = 1) -> Tensor:
    things = torch.zeros(1, frames, *grid, dtype=torch.int64)
    for number, (y, x) in enumerate(corners, 1):
        things[..., y : y + side, x : x + side] = number
    return things


def shown(things: Tensor, seed: int = 0, look: Look = CLEAR) -> Scene:
    return attend(things, look, torch.Generator().manual_seed(seed))


def test_a_head_that_looks_into_the_corner_is_not_the_best() -> None:
    """The released code on a GPU scores how much cells look at the frame's first three."""
    scene = shown(boxes((4, 4), (14, 20)))
    code = torch.zeros(scene.queries.shape[-1])
    code[7] = 12.0
    stripes = (torch.arange(32) // 4 % 2).bool().repeat(24)
    scene.keys[:, 0, :3] = code
    scene.queries[:, 0, stripes] = code
    assert layouts(scene, (2,), RELEASE).heads.tolist() == [0]
    assert layouts(scene, (2,), ROBUST).heads.tolist() == [KNOWS_THINGS]


def test_a_head_that_only_knows_places_is_not_the_best() -> None:
    """Sums over blocks of 3 x 6 cells weigh smooth slopes 324 times as much as the rest of the score."""
    scene = shown(boxes((5, 8), (18, 30), grid=(30, 52)))
    assert layouts(scene, (2,), ON_A_CPU).heads.tolist() == [KNOWS_PLACES]
    found = layouts(scene, (2,), ROBUST)
    assert found.heads.tolist() == [KNOWS_THINGS] and found.counts.tolist() == [[2]]


@pytest.mark.parametrize("corners", [((9, 13),), ((2, 2), (2, 13), (2, 25), (14, 2), (14, 13), (14, 25))])
def test_one_thing_is_not_six_and_six_are_not_four(corners: tuple[tuple[int, int], ...]) -> None:
    """Three components hold about four groups; where there are fewer, noise is stretched to fill them."""
    scene = shown(boxes(*corners))
    assert layouts(scene, (len(corners),), ON_A_CPU).counts.item() != len(corners)
    assert layouts(scene, (len(corners),), ROBUST).counts.item() == len(corners)


def test_a_noun_that_all_cells_look_at_alike_is_nowhere() -> None:
    scene = shown(boxes((4, 4), (14, 20)), look=Look(sharpness=12, cross=0.0))
    assert layouts(scene, (2,), RELEASE).counts.item() > 0
    assert layouts(scene, (2,), PAPER).counts.item() > 0
    assert layouts(scene, (2,), ROBUST).counts.item() == 0


def added_bias(preset: Preset, score: float, strength: float) -> float:
    """Bias of a cell that scores 0, added beside an instance that scores `score`."""
    queries, keys = torch.tensor([[[score], [0.0]]]), torch.ones(1, 1, 1)
    found = row_bias(queries, keys, torch.tensor([[1, 100]]), ((0,),), strength, preset.guidance, 1)
    assert found is not None
    return found.bias.item()


@pytest.mark.parametrize("score", [-3.0, 0.5, 4.0])
def test_added_cells_are_lifted_early_and_left_alone_late(score: float) -> None:
    early, late = (added_bias(ROBUST, score, strength) for strength in (1.75, 0.25))
    assert early >= late >= 0
    assert added_bias(ROBUST, 4.0, 1.75) > 4


def test_the_release_turns_round_where_scores_are_negative() -> None:
    assert added_bias(RELEASE, -3.0, 1.75) < added_bias(RELEASE, -3.0, 0.25) < 0


def flickering() -> Scene:
    """Two things; in the middle frame the noun's map does not show the second one."""
    scene = shown(boxes((4, 4), (14, 20), frames=3))
    hidden = (scene.things[0, 1] == 2).flatten()
    scene.cross_queries[1][:, hidden] = 0
    return scene


def test_the_paper_remembers_places_over_a_frame_that_adds_nothing() -> None:
    """Two of three frames show one thing of two; what is added in the last one has its cost from the first, or none."""
    frames = boxes((4, 4), (14, 20), frames=3)[0].to(torch.int16)
    frames[0] = torch.where(frames[0] == 1, 1, 0)
    frames[2] = torch.where(frames[2] == 2, 1, 0)
    added = {
        name: [(frame >= 100).nonzero().double().mean(0).tolist() for frame in refine_frames(frames, 2, settings)]
        for name, settings in (("paper", PAPER.layout.published), ("release", RELEASE.layout.published))
    }
    assert added["paper"][0] == added["release"][0], "the first frame has no earlier one"
    first, last = torch.tensor(added["paper"][0]), torch.tensor([added["paper"][2], added["release"][2]])
    assert torch.dist(last[0], first) < torch.dist(last[1], first)


def test_what_one_frame_does_not_show_is_not_added_in_it() -> None:
    scene = flickering()
    assert layouts(scene, (2,), ROBUST).counts.tolist() == [[2, 1, 2]]
    assert not layouts(scene, (2,), ROBUST).changed
    authors = layouts(scene, (2,), PAPER)
    assert len({bool((frame >= 100).any()) for frame in authors.after[0]}) == 2


def test_a_frame_without_the_instance_copies_that_of_the_others() -> None:
    """Two frames of two cells; the second shows no instance: the release falls back to its disc's bias there."""
    queries, keys = torch.tensor([[[3.0], [0.0], [0.0], [0.0]]]), torch.ones(1, 1, 1)
    after = torch.tensor([[1, 100, 0, 100]])
    biases = [row_bias(queries, keys, after, ((0,),), 1.0, preset.guidance, 2) for preset in (RELEASE, ROBUST)]
    assert [found.bias.flatten().tolist() for found in biases if found] == [[3.0, pytest.approx(0.8)], [3.0, 3.0]]


def test_a_frame_smaller_than_the_disc() -> None:
    scene = shown(torch.cat([boxes(grid=(8, 8)), boxes((0, 0), side=2, grid=(8, 8))]))
    crowded = torch.zeros(8, 8, dtype=torch.int16)
    with pytest.raises(CountError, match="11 x 11 cells does not fit into an attention map of 8 x 8"):
        refine(crowded, 0, 1, [], RELEASE.layout.published)
    found = layouts(scene, (3, 1), ROBUST)
    numbers, areas = found.after[0].unique(return_counts=True)
    assert numbers.tolist() == [0, 100, 101, 102] and areas[1:].min() >= 4


def test_what_is_there_is_never_stamped_over() -> None:
    """The middle of two things lies on a third one."""
    things = boxes((9, 4), (9, 23), (9, 13))
    layout = things[0, 0].to(torch.int16)
    released, _ = refine(layout, 3, 5, [], RELEASE.layout.published)
    assert (released == 3).sum() < (layout == 3).sum()
    found = layouts(shown(things), (5,), ROBUST)
    there = found.before > 0
    assert torch.equal(found.after[there], found.before[there])
    assert found.after[~there].unique().tolist() == [0, 100, 101]
