"""Which noun and region a training picture gets: plain, with another noun, in a mosaic."""

from __future__ import annotations

import random

import numpy as np
import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.config import OFFICIAL, SHAPES
from headcount.core.t2icount.examples import Examples, asked_for, mosaic, mosaic_crop
from headcount.core.t2icount.transform import Labelled

from ..helpers.counting_sets import TINY, Squares


def one_colour(value: int, noun: str, side: int = 100) -> Labelled:
    pixels = torch.full((side, side, 3), value, dtype=torch.uint8)
    return Labelled(pixels, torch.full((side, side), value / 1e6), torch.ones(side, side), noun)


def test_an_example_hangs_on_seed_epoch_and_index_alone() -> None:
    pictures = Squares(9)
    whole = Examples(pictures, TINY, 5)
    late = Examples(pictures, TINY, 5).example(3, 4)
    assert [whole.example(epoch, index) for epoch in (1, 2) for index in range(9)]  # other examples first
    assert torch.equal(whole.example(3, 4).pixels, late.pixels)
    others = [Examples(pictures, TINY, 6).example(3, 4), whole.example(2, 4), whole.example(3, 7)]
    assert all(not torch.equal(other.pixels, late.pixels) for other in others)
    assert whole.order(1) == whole.order(1) != whole.order(2)
    assert sorted(whole.order(1)) == list(range(9))


def test_shares_are_the_published_ones() -> None:
    """A picture of its own colour tells which pictures an example was made of."""

    class Colours:
        def __len__(self) -> int:
            return 50

        def sample(self, index: int) -> tuple[np.ndarray, str, np.ndarray]:
            return np.full((48, 48, 3), 4 * index, np.uint8), f"noun {index}", np.ones((48, 48), np.float32)

    examples = Examples(Colours(), TINY, 0)
    kinds = {"own": 0, "other": 0, "mosaic": 0}
    for epoch in range(20):
        for index in range(50):
            example = examples.example(epoch, index)
            if example.noun != f"noun {index}":
                kinds["other"] += 1
                assert not example.region.any() and not example.density.any()
            elif len(example.pixels.unique()) == 1:
                kinds["own"] += 1
            else:
                kinds["mosaic"] += 1
    # A mosaic's window that lies within one quarter looks like a picture of its own.
    assert 0.47 < kinds["own"] / 1000 < 0.58
    assert 0.2 < kinds["other"] / 1000 < 0.32
    assert 0.15 < kinds["mosaic"] / 1000 < 0.28


def test_another_noun_means_nothing_anywhere() -> None:
    whole = one_colour(9, "cats")
    assert asked_for(whole, "cats") is whole
    other = asked_for(whole, "dogs")
    assert other.noun == "dogs" and not other.density.any() and not other.region.any()
    assert torch.equal(other.picture, whole.picture)
    assert whole.density.all()


def test_quarters_of_a_mosaic_know_whether_they_are_asked_for() -> None:
    pictures = [one_colour(v, noun) for v, noun in ((10, "cats"), (20, "dogs"), (30, "cats"), (40, "birds"))]
    seen = set()
    for seed in range(30):
        whole = mosaic(pictures, 40, random.Random(seed))
        assert whole.noun == "cats" and whole.picture.shape == (80, 80, 3)
        quarters = [(int(whole.picture[y, x, 0]), y, x) for y in (0, 40) for x in (0, 40)]
        assert sorted(value for value, _, _ in quarters) == [10, 20, 30, 40]
        for value, y, x in quarters:
            part = (slice(y, y + 40), slice(x, x + 40))
            is_cat = value in (10, 30)
            assert torch.equal(whole.density[part], torch.full((40, 40), value / 1e6 if is_cat else 0.0))
            assert (whole.region[part] == float(is_cat)).all() and (whole.picture[part] == value).all()
        seen.add(tuple(value for value, _, _ in quarters))
    assert len(seen) > 10


def test_small_pictures_fill_their_quarter() -> None:
    whole = mosaic([one_colour(10, "cats", side=17)] * 4, 40, random.Random(0))
    assert whole.picture.shape == (80, 80, 3) and (whole.picture == 10).all()


def test_a_mosaic_is_larger_than_the_window() -> None:
    assert mosaic_crop(OFFICIAL) == 224
    for config in (OFFICIAL, SHAPES, TINY):
        assert 2 * mosaic_crop(config) > config.window
        assert mosaic_crop(config) % config.cell == 0


def test_says_what_is_wrong_with_a_picture() -> None:
    class Wrong(Squares):
        def sample(self, index: int) -> tuple[np.ndarray, str, np.ndarray]:
            picture, noun, density = super().sample(index)
            return picture, noun, density[:-1]

    with pytest.raises(CountError, match=r"image 2 .*\(60, 76, 3\).*\(59, 76\)"):
        Examples(Wrong(3), TINY, 0).example(0, 2)
