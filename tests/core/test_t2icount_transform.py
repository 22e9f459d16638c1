"""Training windows against recorded ones of the published training, and what chance decides about them."""

from __future__ import annotations

import random
from pathlib import Path

import numpy as np
import pytest
import torch
from headcount.core.t2icount.config import OFFICIAL, SHAPES
from headcount.core.t2icount.transform import Choices, Labelled, augmented, draw_choices
from hypothesis import given, settings
from hypothesis import strategies as st

from ..parity.deterministic import CASES, DATA_CHOICES, hashes, picture

RECORDED = Path(__file__).parent.parent / "data" / "t2icount_windows.npz"


def density_of_forty(height: int, width: int) -> np.ndarray:
    """Forty Gaussians at recorded places."""
    y, x = np.ogrid[:height, :width]
    places = [int(value) for value in hashes(5000, 0, 80)]
    total = np.zeros((height, width))
    for down, right in zip(places[::2], places[1::2], strict=True):
        bump = np.exp(-((y - down % height) ** 2) / 32) * np.exp(-((x - right % width) ** 2) / 32)
        total += bump / bump.sum()
    return total.astype(np.float32)


def labelled(height: int, width: int, seed: int = 0) -> Labelled:
    generator = torch.Generator().manual_seed(seed)
    pixels = torch.randint(256, (height, width, 3), dtype=torch.uint8, generator=generator)
    density = torch.rand(height, width, generator=generator) / (height * width) * 20
    return Labelled(pixels, density, torch.ones(height, width), "cats")


@pytest.mark.parametrize(("name", "factor", "top", "left", "is_mirrored"), DATA_CHOICES)
def test_windows_are_those_of_the_published_training(
    name: str, factor: float | None, top: int, left: int, is_mirrored: bool
) -> None:
    recorded, pixels = np.load(RECORDED), picture(CASES[1])
    height, width = pixels.shape[:2]
    region = np.unpackbits(recorded["region"])[: height * width].reshape(height, width)
    whole = Labelled(
        torch.from_numpy(pixels),
        torch.from_numpy(density_of_forty(height, width)),
        torch.from_numpy(region).float(),
        "sea shells",
    )
    example = augmented(whole, Choices(factor, top, left, is_mirrored), OFFICIAL)
    found = ((example.pixels + 1) * 127.5).round().flatten()[::1729][:256]
    assert np.array_equal(found.numpy(), recorded[f"{name}_pixels"])
    density = example.density.flatten()[::9][:256].numpy() / 60
    assert np.abs(density - recorded[f"{name}_density"]).max() < 2e-6
    assert np.array_equal(np.packbits(example.region.numpy().astype(bool)), recorded[f"{name}_region"])


@settings(max_examples=40, deadline=None)
@given(height=st.integers(1, 300), width=st.integers(1, 300), seed=st.integers(0, 9999))
def test_every_picture_gives_a_whole_window(height: int, width: int, seed: int) -> None:
    choices = draw_choices(height, width, SHAPES.window, random.Random(seed))
    example = augmented(labelled(height, width), choices, SHAPES)
    assert example.pixels.shape == (3, 128, 128)
    assert example.density.shape == example.region.shape == (1, 16, 16)
    assert -1 <= example.pixels.min() <= example.pixels.max() <= 1


@pytest.mark.parametrize("factor", [None, 1.3, 2.0])
def test_things_are_neither_lost_nor_made(factor: float | None) -> None:
    density = torch.zeros(128, 128)
    density[50:58, 40:48] = 3 / 64
    whole = Labelled(torch.zeros(128, 128, 3, dtype=torch.uint8), density, torch.ones(128, 128), "cats")
    example = augmented(whole, Choices(factor, 0, 0, False), SHAPES)
    assert example.density.sum() / SHAPES.density_scale == pytest.approx(3, rel=0.01)


def test_a_mirrored_example_is_the_other_way_round() -> None:
    whole = labelled(128, 128)
    plain, mirrored = (augmented(whole, Choices(None, 0, 0, flip), SHAPES) for flip in (False, True))
    for name in ("pixels", "density", "region"):
        assert torch.equal(getattr(plain, name), getattr(mirrored, name).flip(-1))


def test_chances_are_the_published_ones() -> None:
    chance = random.Random(0)
    drawn = [draw_choices(384, 500, 384, chance) for _ in range(4000)]
    factors = [choices.factor for choices in drawn if choices.factor is not None]
    assert len(factors) / 4000 == pytest.approx(0.5, abs=0.03)
    assert sum(factors) / len(factors) == pytest.approx(1.5, abs=0.03)
    assert 1 <= min(factors) < 1.01 and 1.99 < max(factors) <= 2
    assert sum(choices.is_mirrored for choices in drawn) / 4000 == pytest.approx(0.5, abs=0.03)
    plain = [choices.left for choices in drawn if choices.factor is None]
    assert min(plain) == 0 and max(plain) == 116
