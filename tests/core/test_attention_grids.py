"""Token counts as grids, and maps that move between grids."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention.calls import Grid
from headcount.core.attention.grids import (
    area_pooled,
    grid_of,
    halved,
    pixel_sources,
    resize_back,
    resize_both,
    resize_keys,
    resize_queries,
)
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import adaptive_avg_pool2d

from ..reference_isac import upsampling_matrix

SIDES = st.integers(1, 200)
SMALL = st.tuples(st.integers(1, 6), st.integers(1, 6))


@given(height=SIDES, width=SIDES, level=st.integers(0, 5))
def test_grid_of_finds_every_level_of_a_unet(height: int, width: int, level: int) -> None:
    grid = (height, width)
    for _ in range(level):
        grid = ((grid[0] + 1) // 2, (grid[1] + 1) // 2)  # a convolution of stride 2 with padding 1
    assert grid_of(grid[0] * grid[1], (height, width)) == grid


@given(height=SIDES, width=SIDES, tokens=st.integers(0, 50_000))
def test_grid_of_is_none_or_right(height: int, width: int, tokens: int) -> None:
    grid = grid_of(tokens, (height, width))
    assert grid is None or grid[0] * grid[1] == tokens


@pytest.mark.parametrize(
    ("tokens", "latent", "grid"),
    [
        (17 * 13, (17, 13), (17, 13)),
        (9 * 7, (17, 13), (9, 7)),
        (5 * 4, (17, 13), (5, 4)),
        (1, (17, 13), (1, 1)),
        (64, (16, 16), (8, 8)),
        (96, (8, 12), (8, 12)),
        (77, (64, 64), None),
        (4097, (64, 64), None),
        (0, (64, 64), None),
        (2, (1, 1), None),
    ],
)
def test_grid_of_examples(tokens: int, latent: tuple[int, int], grid: tuple[int, int] | None) -> None:
    assert grid_of(tokens, latent) == grid


@settings(max_examples=30, deadline=None)
@given(grid=SMALL, target=SMALL, columns=st.integers(1, 3), seed=st.integers(0, 99))
def test_resize_queries_is_bilinear(grid, target, columns, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    maps = torch.rand(2, grid[0] * grid[1], columns, generator=generator, dtype=torch.float64)
    found = resize_queries(maps, grid, target)
    assert found.shape == (2, target[0] * target[1], columns)
    torch.testing.assert_close(found, upsampling_matrix(grid, target) @ maps)


@settings(max_examples=30, deadline=None)
@given(grid=SMALL, target=SMALL, seed=st.integers(0, 99))
def test_resize_both_resizes_rows_and_columns(grid, target, seed) -> None:
    generator = torch.Generator().manual_seed(seed)
    pixels = grid[0] * grid[1]
    maps = torch.rand(1, pixels, pixels, generator=generator, dtype=torch.float64)
    up = upsampling_matrix(grid, target)
    torch.testing.assert_close(resize_both(maps, grid, target), up @ maps @ up.T)


def test_row_sums_survive_a_resize_of_the_queries() -> None:
    maps = torch.rand(2, 20, 5, dtype=torch.float64).softmax(-1)
    found = resize_queries(maps, (4, 5), (9, 11))
    torch.testing.assert_close(found.sum(-1), torch.ones(2, 99, dtype=torch.float64))


def test_same_grid_is_the_same_tensor() -> None:
    maps = torch.rand(1, 6, 6)
    assert resize_queries(maps, (2, 3), (2, 3)) is maps
    assert torch.equal(resize_both(maps, (2, 3), (2, 3)), maps)


def test_wrong_grid() -> None:
    with pytest.raises(CountError, match="6 image tokens do not form a grid of 2 x 4"):
        resize_queries(torch.rand(1, 6, 3), (2, 4), (4, 4))


RESIZES = [((3, 4), (6, 8)), ((2, 3), (5, 9)), ((1, 4), (2, 7)), ((9, 10), (5, 5)), ((5, 5), (5, 5)), ((8, 3), (4, 2))]


@pytest.mark.parametrize(("grid", "target"), RESIZES)
def test_pixel_sources_and_resize_back_are_the_bilinear_resize(grid: Grid, target: Grid) -> None:
    """All three against PyTorch's resize of unit maps, which is its matrix."""
    cells = grid[0] * grid[1]
    matrix = resize_queries(torch.eye(cells, dtype=torch.float64)[None], grid, target)[0]
    index, weight = pixel_sources(torch.arange(target[0] * target[1]), grid, target, torch.float64)
    rebuilt = torch.zeros_like(matrix)
    for source, share in zip(index.T, weight.T, strict=True):
        rebuilt[torch.arange(len(index)), source] += share
    torch.testing.assert_close(rebuilt, matrix)
    values = torch.rand(3, target[0] * target[1], dtype=torch.float64)
    torch.testing.assert_close(resize_back(values, grid, target), values @ matrix)
    rows = torch.rand(3, cells, dtype=torch.float64)
    torch.testing.assert_close(resize_keys(rows, grid, target), rows @ matrix.T)


@pytest.mark.parametrize(("grid", "target"), [((64, 64), (16, 16)), ((26, 38), (13, 19)), ((25, 37), (13, 19))])
def test_area_pooling(grid: Grid, target: Grid) -> None:
    maps = torch.rand(2, grid[0] * grid[1], dtype=torch.float64)
    expected = adaptive_avg_pool2d(maps.view(2, *grid), target).flatten(1)
    torch.testing.assert_close(area_pooled(maps, grid, target), expected)
    assert area_pooled(maps, grid, grid) is maps


@pytest.mark.parametrize(("grid", "most", "expected"), [((64, 64), 4096, (64, 64)), ((65, 64), 4096, (33, 32))])
def test_halved(grid: Grid, most: int, expected: Grid) -> None:
    assert halved(grid, most) == expected
