"""Counting scenes show what they say, where they say it, and are asked for the noun that their kind is about."""

from __future__ import annotations

import random
from collections import Counter

import numpy as np
import pytest
import torch
from headcount.core.shapes.autoencoder import ShapesAutoencoder

from demo.count_scenes import (
    CountScene,
    CountScenes,
    Recipe,
    density_of,
    emoji_scene,
    make_scenes,
    minority_scene,
    ordinary_scene,
    redrawn,
    rich_scene,
)
from demo.counter import count_shapes
from demo.emoji.scenes import random_scene
from demo.emoji.vocabulary import PLURALS as EMOJI_PLURALS
from demo.scenes import PlacedShape
from demo.shapes import NOUNS, PLURALS

RECIPES = (rich_scene, ordinary_scene, minority_scene)


def numbers(scene: CountScene) -> Counter[str]:
    return Counter(shape.noun for shape in scene.objects)


@pytest.mark.parametrize("recipe", RECIPES)
def test_pictures_show_their_shapes(recipe: Recipe) -> None:
    """The exact counter reads shapes of the size it was made for."""
    scenes = [scene for scene in make_scenes(recipe, 60, 5).scenes if len(scene.picture) == 128]
    plain = [scene for scene in scenes if min(shape.radius for shape in scene.objects) > 9]
    right = [count_shapes(scene.picture) == numbers(scene) for scene in plain]
    assert len(plain) > 8 and np.mean(right) > 0.85


@pytest.mark.parametrize(
    ("recipe", "plurals"), [*((recipe, PLURALS) for recipe in RECIPES), (emoji_scene, EMOJI_PLURALS)]
)
def test_a_sample_is_picture_plural_and_density(recipe: Recipe, plurals: dict[str, str]) -> None:
    scenes = make_scenes(recipe, 20, 1, plurals)
    for index, scene in enumerate(scenes.scenes):
        picture, noun, density = scenes.sample(index)
        assert picture.shape == (*density.shape, 3) and picture.dtype == np.uint8
        assert noun == scenes.plurals[scene.noun] and numbers(scene)[scene.noun] > 0
        assert density.sum() == pytest.approx(scene.count(scene.noun), rel=1e-4)
        absent = next(noun for noun in scenes.plurals if not scene.count(noun))
        assert not density_of(scene, absent).any()


def test_density_lies_on_the_shapes() -> None:
    shapes = (PlacedShape("star", "red", (40.0, 90.0), 12.0), PlacedShape("moon", "red", (100.0, 20.0), 8.0))
    scene = CountScene(np.zeros((128, 128, 3), np.uint8), shapes, "star")
    density = density_of(scene, "star")
    rows, columns = np.indices(density.shape) + 0.5
    assert (density * columns).sum() == pytest.approx(40, abs=0.05)
    assert (density * rows).sum() == pytest.approx(90, abs=0.05)
    near = np.hypot(columns - 40, rows - 90) < 12
    assert density[near].sum() == pytest.approx(1 - np.exp(-2), abs=0.01), "the shape's circle is two deviations wide"


def test_emoji_lie_where_the_scene_has_them() -> None:
    drawn, counted = random_scene(random.Random(4)), emoji_scene(random.Random(4))
    assert np.array_equal(drawn.picture, counted.picture)
    assert {counted.noun} <= {kind.noun for kind in drawn.kinds}
    for (left, top, width, height), one in zip([one.box for one in drawn.objects], counted.objects, strict=True):
        assert one.centre == (left + width / 2, top + height / 2)
        assert (2 * one.radius) ** 2 == pytest.approx(width * height)


def test_ordinary_scenes_ask_for_the_many_and_minority_scenes_for_the_few() -> None:
    for scene in make_scenes(ordinary_scene, 60, 2).scenes:
        assert scene.noun == numbers(scene).most_common(1)[0][0] and scene.count(scene.noun) >= 4
    for scene in make_scenes(minority_scene, 60, 2).scenes:
        assert scene.count(scene.noun) in (1, 2)
        assert len(scene.objects) - scene.count(scene.noun) >= 4 and len(numbers(scene)) == 2


def test_rich_scenes_are_rich() -> None:
    scenes = make_scenes(rich_scene, 200, 3).scenes
    assert {len(numbers(scene)) for scene in scenes} == {1, 2, 3, 4}
    assert {scene.noun for scene in scenes} == set(NOUNS) and {len(scene.picture) for scene in scenes} == {
        128,
        192,
        256,
    }
    assert {1, 2, 3, 4, 5, 6, 7, 8} <= {scene.count(scene.noun) for scene in scenes}


def test_a_scene_hangs_on_seed_and_place_alone() -> None:
    few, many = make_scenes(rich_scene, 3, 7).scenes, make_scenes(rich_scene, 6, 7).scenes
    assert all(np.array_equal(one.picture, other.picture) for one, other in zip(few, many, strict=False))
    assert not np.array_equal(many[0].picture, make_scenes(rich_scene, 1, 8).scenes[0].picture)
    before = random.getstate()
    make_scenes(rich_scene, 1, 7)
    assert random.getstate() == before


def test_redrawn_scenes_keep_all_but_their_pixels() -> None:
    torch.manual_seed(0)
    autoencoder = ShapesAutoencoder().eval()
    scenes = make_scenes(rich_scene, 12, 4)

    def run(share: float) -> CountScenes:
        return redrawn(scenes, autoencoder, torch.ones(8), share, 1)

    def changed(other: CountScenes) -> list[bool]:
        pairs = zip(scenes.scenes, other.scenes, strict=True)
        return [not np.array_equal(one.picture, two.picture) for one, two in pairs]

    assert not any(changed(run(0))) and all(changed(run(1))) and 0 < sum(changed(run(0.5))) < 12
    for one, two, again in zip(scenes.scenes, run(1).scenes, run(1).scenes, strict=True):
        assert (one.objects, one.noun) == (two.objects, two.noun) and two.picture.shape == one.picture.shape
        assert np.array_equal(two.picture, again.picture) and two.picture.dtype == np.uint8
