"""Places on maps as real models make them: objects of all ordinary sizes, with a stronger part each, in noise."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from headcount.core.attention.grids import smoothed
from headcount.core.counting import UnitBox
from headcount.core.isac.anchored import LEVEL_SIDES, semantic_calls
from headcount.core.isac.anchors import map_diameter, map_spacing, pick_places, places_in_boxes
from headcount.core.isac.presence_losses import ABSENT, OWN, PRESENT, PictureLosses, picture_losses
from headcount.core.isac.target import PromptTarget
from headcount.core.isac.words import words_of

from ..helpers.maps import random_call
from ..helpers.synthetic_maps import Look, Scene, scenes

GRID = (16, 16)
SIZES = (0.14, 0.2, 0.3, 0.38, 0.45)


def losses(scene: Scene, counts: tuple[int, ...]) -> PictureLosses:
    target = PromptTarget(tuple((noun,) for noun in range(len(counts))), counts)
    return picture_losses(scene.heat, GRID, words_of(target, bind=False), counts)


def owners(scene: Scene, counts: tuple[int, ...]) -> list[tuple[int, int] | None]:
    """The noun and object that each place is on; None for one that is on no object of its noun."""
    places = pick_places(smoothed(scene.heat, GRID), GRID, counts)
    found: list[tuple[int, int] | None] = []
    for noun, pixel in zip(places.nouns.tolist(), places.pixels.tolist(), strict=True):
        point = [(side + 0.5) / 16 for side in divmod(pixel, 16)]
        gaps = [math.dist(point, centre) for centre in scene.centres[noun]]
        is_on = bool(gaps) and min(gaps) <= 0.5 * scene.size + 0.5 / 16
        found.append((noun, gaps.index(min(gaps))) if is_on else None)
    return found


CLEAR = Look(contrast=3.0, noise=0.1)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("asked", [2, 3])
def test_the_place_of_a_missing_object_is_not_on_one_that_is_there(asked: int, size: float) -> None:
    """Of 40 scenes with one object less than asked; 0.6 / sqrt(number) alone does as well, 3/16 fails in 92 % from 0.3 on."""
    doubled = 0
    for scene in scenes((asked - 1,), size, 40):
        on_objects = [owner for owner in owners(scene, (asked,)) if owner]
        doubled += len(on_objects) > len(set(on_objects))
    assert doubled <= (2 if (asked, size) != (3, 0.45) else 3)  # two of 45 % leave hardly any room for a third


@pytest.mark.parametrize("nouns", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("size", [0.2, 0.25, 0.3, 0.35])
def test_a_right_image_of_any_number_of_nouns_is_left_alone(nouns: int, size: float) -> None:
    urgent = [float(losses(scene, (1,) * nouns).urgency) for scene in scenes((1,) * nouns, size, 20, CLEAR)]
    assert sum(value > 0 for value in urgent) <= 2


@pytest.mark.parametrize("size", [0.3, 0.5, 0.7])
def test_a_single_object_is_not_shrunk(size: float) -> None:
    assert all(float(losses(scene, (1,)).urgency) == 0 for scene in scenes((1,), size, 10))


@pytest.mark.parametrize(("shown", "least"), [(1, 0.85), (3, 0.75)], ids=["one missing", "one too many"])
@pytest.mark.parametrize("size", [0.2, 0.3, 0.38])
def test_a_wrong_number_of_large_objects_costs_more_than_the_right_one(shown: int, least: float, size: float) -> None:
    """The chance that a wrong image has the higher loss; with 3/16 it is 0.33 where one of two of 40 % is missing."""
    right, wrong = (
        torch.tensor([float(losses(scene, (2,)).instance) for scene in scenes((many,), size, 25)])
        for many in (2, shown)
    )
    higher = (wrong[:, None] > right).float().mean() + 0.5 * (wrong[:, None] == right).float().mean()
    assert higher >= least


def test_urgency_does_not_grow_with_the_number_of_objects() -> None:
    one_missing = {
        asked: np.median([float(losses(scene, (asked,)).urgency) for scene in scenes((asked - 1,), 0.2, 15, CLEAR)])
        for asked in (2, 8)
    }
    assert one_missing[8] < 1.2 * one_missing[2]


@pytest.mark.parametrize("size", [0.2, 0.3, 0.45])
def test_the_maps_say_how_large_an_object_is(size: float) -> None:
    found = [float(map_diameter(smoothed(scene.heat, GRID), GRID)[0]) / 16 for scene in scenes((2,), size, 20)]
    assert 0.7 * size < np.median(found) < 1.4 * size


def test_spacing_is_the_objects_diameter_up_to_what_their_number_leaves_room_for() -> None:
    small, large = (smoothed(next(scenes((2,), size)).heat, GRID) for size in (0.14, 0.45))
    assert map_spacing(small, GRID, (2,)) == pytest.approx(1.1 * float(map_diameter(small, GRID)) / 16)
    assert map_spacing(large, GRID, (3,)) == pytest.approx(0.6 / math.sqrt(3))
    assert map_spacing(large, GRID, (5, 4)) == pytest.approx(0.6 / 3)


@pytest.mark.parametrize("grid", [(16, 16), (3, 5), (1, 1)])
def test_a_flat_map_has_the_smallest_diameter(grid: tuple[int, int]) -> None:
    assert map_diameter(torch.full((2, grid[0] * grid[1]), 0.2), grid).tolist() == [2.0, 2.0]


BOXES = ((UnitBox(0.0, 0.0, 0.25, 0.5),), (UnitBox(0.5, 0.5, 1.0, 1.0), UnitBox(0.75, 0.0, 1.0, 0.25)))


def test_places_in_boxes_are_their_middles() -> None:
    places = places_in_boxes(BOXES, (8, 16), torch.device("cpu"))
    assert places.nouns.tolist() == [0, 1, 1]
    assert [divmod(pixel, 16) for pixel in places.pixels.tolist()] == [(2, 2), (6, 12), (1, 14)]
    assert places.near.sum(1).tolist() == [4 * 4, 4 * 8, 2 * 4] and places.near[0, 0] and not places.near[1, 0]


def test_an_own_layout_asks_for_the_boxes_and_nothing_beside_them() -> None:
    [scene] = scenes((2,), 0.25, 1, CLEAR)
    target, half = PromptTarget(((0,),), (2,)), 0.16
    there = tuple(UnitBox(x - half, y - half, x + half, y + half) for y, x in scene.centres[0])
    words = words_of(target, bind=False)
    assert float(picture_losses(scene.heat, GRID, words, (2,), boxes=(there,)).urgency) == 0
    elsewhere = (there[0], UnitBox(0.0, 0.9, 0.1, 1.0))
    found = picture_losses(scene.heat.requires_grad_(), GRID, words, (2,), boxes=(elsewhere,))
    (gradient,) = torch.autograd.grad(found.instance, scene.heat)
    assert float(found.urgency) > 0.5
    asked, surplus = 15 * 16 + 0, [int(side * 16) for side in scene.centres[0][1]]
    assert float(gradient[0, asked]) < 0 < float(gradient[0, surplus[0] * 16 + surplus[1]])


def unet_grids(height: int, width: int) -> list[tuple[int, int]]:
    """Grids of the cross-attention layers of SD 1.x and 2.x: 2 + 3 at each of three levels and one in the middle."""
    levels = [(height // 8, width // 8)]
    for _ in range(3):
        levels.append((-(-levels[-1][0] // 2), -(-levels[-1][1] // 2)))
    return [*(level for level in levels[:3] for _ in range(5)), levels[3]]


@pytest.mark.parametrize("width", [512, 640, 704, 768, 832, 960, 1024])
@pytest.mark.parametrize("height", [512, 768, 1024, 1216])
def test_five_layers_or_more_are_read_at_every_common_size(height: int, width: int) -> None:
    calls = [random_call("cross", grid, 1, batch=1, heads=1) for grid in unet_grids(height, width)]
    used = semantic_calls(calls)
    assert len(used) >= 5
    smallest, largest = LEVEL_SIDES
    assert smallest**2 <= used[0].grid[0] * used[0].grid[1] <= largest**2


def test_a_step_is_as_large_as_the_worst_loss() -> None:
    """A missing object takes nearly all of it, a nudge is enough where little is missing."""
    [scene] = scenes((1,), 0.2, 1, CLEAR)
    missing = losses(scene, (2,))
    assert 0.8 < float(missing.urgency) <= 1
    assert float(missing.urgency) == pytest.approx(float(missing.instance) / PRESENT)


def test_the_numbers_of_the_losses() -> None:
    """Taken from maps of plain Emoji runs, see `presence_losses`; a change has to be measured again there and on Shapes."""
    assert (PRESENT, ABSENT, OWN) == (0.7, 0.45, 0.7)
