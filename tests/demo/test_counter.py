"""The exact counter's error rate on drawn scenes."""

from __future__ import annotations

import random

import numpy as np
import pytest
from PIL import Image, ImageFilter

from demo.counter import classify, count_shapes, find_shapes
from demo.scenes import Kind, random_scene
from demo.shapes import COLOURS, NOUNS


@pytest.mark.parametrize(("touching", "scenes", "most_wrong"), [(False, 150, 0.01), (True, 100, 0.03)])
def test_error_rate(touching: bool, scenes: int, most_wrong: float) -> None:
    rng = random.Random(2024)
    wrong = []
    for _ in range(scenes):
        scene = random_scene(rng, touching=touching)
        if count_shapes(scene.picture) != scene.counts():
            wrong.append(scene.prompt)
    assert len(wrong) / scenes <= most_wrong, wrong


@pytest.mark.parametrize("noun", NOUNS)
def test_noun_colour_and_place(noun: str) -> None:
    rng = random.Random(5)
    for colour in COLOURS:
        scene = random_scene(rng, (Kind(noun, 2, colour),))
        found = find_shapes(scene.picture)
        assert [(shape.noun, shape.colour) for shape in found] == [(noun, colour)] * 2
        for shape in found:
            assert 0.7 < shape.fit <= 1
            left, top, right, bottom = shape.box
            centre = (left + right) / 2, (top + bottom) / 2
            assert min(np.hypot(*np.subtract(centre, drawn.centre)) for drawn in scene.shapes) < 5


def test_an_empty_picture() -> None:
    assert count_shapes(np.full((128, 128, 3), 230, np.uint8)) == {}


def test_specks_are_no_shapes() -> None:
    picture = np.full((128, 128, 3), 230, np.uint8)
    picture[10:14, 10:14] = 0
    picture[60:62, 20:100] = 0
    assert count_shapes(picture) == {}


def test_noise_does_not_matter() -> None:
    rng, noise = random.Random(8), np.random.default_rng(0)
    for _ in range(5):
        scene = random_scene(rng)
        noisy = np.clip(scene.picture + noise.normal(0, 6, scene.picture.shape), 0, 255).astype(np.uint8)
        assert count_shapes(noisy) == scene.counts()


def test_classify_names_the_nearest_outline() -> None:
    y, x = np.mgrid[:40, :40]
    assert classify((y - 20) ** 2 + (x - 20) ** 2 < 200)[0] == "circle"
    assert classify((abs(y - 20) < 14) & (abs(x - 20) < 14))[0] == "square"


@pytest.mark.parametrize("noun", NOUNS)
@pytest.mark.parametrize("blur", [0.0, 1.2, 2.0])
def test_soft_and_swollen_shapes_keep_their_names(noun: str, blur: float) -> None:
    """Generated shapes are rounder and a little larger than drawn ones, and lean to one side."""
    rng = random.Random(7)
    for lean in (-12, 0, 12):
        scene = random_scene(rng, (Kind(noun, 1, rng.choice(list(COLOURS))),))
        picture = Image.fromarray(scene.picture)
        x, y = scene.shapes[0].centre
        paper = tuple(int(part) for part in np.median(scene.picture.reshape(-1, 3), axis=0))
        leaning = picture.rotate(lean, Image.Resampling.BILINEAR, center=(x, y), fillcolor=paper)
        soft = leaning.filter(ImageFilter.GaussianBlur(blur))
        assert count_shapes(np.asarray(soft)) == {noun: 1}
