"""Points of a density: one for each thing, where the thing is."""

from __future__ import annotations

import math

import pytest
import torch
from headcount.core.t2icount.peaks import peaks
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

CELL = 8


def bumps(size: tuple[int, int], centres: list[tuple[float, float]], mass: float = 1.0, sigma: float = 10.0) -> Tensor:
    """(H, W) with a bump of `mass` around each (x, y)."""
    rows, columns = torch.arange(size[0])[:, None] + 0.5, torch.arange(size[1]) + 0.5
    total = torch.zeros(size)
    for x, y in centres:
        one = torch.exp(-((rows - y) ** 2 + (columns - x) ** 2) / (2 * sigma**2))
        total += mass * one / one.sum()
    return total


def far_from(centres: list[tuple[float, float]], points: tuple[tuple[float, float], ...]) -> float:
    """How far the worst-placed centre is from its nearest point."""
    return max(min(math.dist(centre, point) for point in points) for centre in centres)


def test_each_bump_gets_its_point() -> None:
    centres = [(40.0, 30.0), (150.0, 60.0), (90.0, 170.0), (4.0, 196.0)]
    points = peaks(bumps((200, 201), centres), 4, CELL)
    assert len(points) == 4 and far_from(centres, points) < CELL


def test_strongest_first() -> None:
    density = bumps((96, 200), [(40, 40)], 0.6) + bumps((96, 200), [(150, 50)], 1.4)
    first, second = peaks(density, 2, CELL)
    assert math.dist(first, (150, 50)) < CELL and math.dist(second, (40, 40)) < CELL


def test_weak_bumps_are_not_skipped() -> None:
    """Ten things seen at 0.7 each are counted as seven: seven different things, not some of them twice."""
    centres = [(40.0 + 80 * i, 40.0 + 80 * j) for i in range(5) for j in range(2)]
    points = peaks(bumps((160, 400), centres, 0.7), 7, CELL)
    found = {min(range(10), key=lambda i: math.dist(centres[i], point)) for point in points}
    assert len(found) == 7 and max(min(math.dist(c, p) for c in centres) for p in points) < 1.5 * CELL


def test_one_smear_of_three_things_gets_three_points() -> None:
    centres = [(60.0, 50.0), (76.0, 50.0), (92.0, 50.0)]
    points = peaks(bumps((100, 160), centres, sigma=12), 3, CELL)
    assert len(points) == 3 and all(30 < x < 122 and 20 < y < 80 for x, y in points)
    assert min(math.dist(a, b) for i, a in enumerate(points) for b in points[:i]) > CELL


@pytest.mark.parametrize("size", [(1, 1), (3, 20), (64, 64)])
def test_nothing_there(size: tuple[int, int]) -> None:
    assert peaks(torch.zeros(size), 3, CELL) == () and peaks(torch.ones(size), 0, CELL) == ()


@settings(deadline=None, max_examples=30)
@given(seed=st.integers(0, 1000), height=st.integers(1, 90), width=st.integers(1, 90), number=st.integers(1, 60))
def test_as_many_as_wanted_and_inside(seed: int, height: int, width: int, number: int) -> None:
    density = torch.rand(height, width, generator=torch.Generator().manual_seed(seed)) + 1e-6
    points = peaks(density * number / density.sum(), number, CELL)
    assert len(points) == number
    assert all(0 <= x < width and 0 <= y < height for x, y in points)


def test_the_density_stays_as_it_is() -> None:
    density = bumps((64, 64), [(30, 30)])
    kept = density.clone()
    peaks(density, 1, CELL)
    assert torch.equal(density, kept)
