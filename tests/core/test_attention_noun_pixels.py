"""Which pixels look at the counted nouns, and how they are told apart."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention.noun_pixels import cluster_pixels, foreground, noun_columns, pixel_coordinates
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st


def test_noun_columns_average_the_pieces_of_a_noun() -> None:
    cross = torch.rand(6, 5, dtype=torch.float64)
    found = noun_columns(cross, ((1,), (0, 3, 4)))
    torch.testing.assert_close(found[:, 0], cross[:, 1])
    torch.testing.assert_close(found[:, 1], (cross[:, 0] + cross[:, 3] + cross[:, 4]) / 3)


@pytest.mark.parametrize("tokens", [((1,), (5,)), ((),), ((0, 99),)])
def test_positions_outside_of_the_context(tokens: tuple[tuple[int, ...], ...]) -> None:
    with pytest.raises(CountError, match="do not fit a context of 5 tokens"):
        noun_columns(torch.rand(6, 5), tokens)


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), pixels=st.integers(2, 30), classes=st.integers(1, 3), least=st.integers(1, 30))
def test_foreground_is_the_union_of_pixels_above_each_mean(seed, pixels, classes, least) -> None:
    spread = torch.rand(pixels, classes, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    means = spread.mean(0).tolist()
    above = [p for p, row in enumerate(spread.tolist()) if any(v > m for v, m in zip(row, means, strict=True))]
    expected = above if len(above) >= least else list(range(pixels))
    assert foreground(spread, least).tolist() == expected


def test_a_flat_map_gives_all_pixels() -> None:
    assert foreground(torch.full((5, 2), 0.5), 1).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize("grid", [(2, 3), (1, 1), (1, 4), (5, 5)])
def test_pixel_coordinates(grid: tuple[int, int]) -> None:
    places = pixel_coordinates(grid, torch.zeros(1, dtype=torch.float64))
    assert places.shape == (grid[0] * grid[1], 2) and places.dtype == torch.float64
    assert torch.isfinite(places).all() and places.abs().max() <= 1
    picture = places.view(*grid, 2)
    for row in range(grid[0]):
        assert torch.equal(picture[row, :, 0], picture[0, :, 0]), "x does not depend on the row"
    for column in range(grid[1]):
        assert torch.equal(picture[:, column, 1], picture[:, 0, 1]), "y does not depend on the column"
    if grid[1] > 1:
        assert (picture[0, 0, 0], picture[0, -1, 0]) == (-1, 1)


def test_equal_attention_falls_apart_by_place() -> None:
    """With nothing else to go by, the left half and the right half are two instances."""
    pixels = torch.tensor([24, 25, 30, 31, 32, 33, 38, 39])  # both ends of the two middle rows of 8 x 8
    owner = cluster_pixels(torch.zeros(8, 8), pixels, (8, 8), 2).argmax(1)
    assert owner[[0, 1, 4, 5]].unique().numel() == owner[[2, 3, 6, 7]].unique().numel() == 1
    assert owner[0] != owner[2]


def test_attention_decides_over_place() -> None:
    """Neighbours that look at different pixels are different instances."""
    pixels = torch.arange(6)
    attention = torch.zeros(6, 6)
    attention[::2, ::2] = attention[1::2, 1::2] = 10.0
    owner = cluster_pixels(attention, pixels, (1, 6), 2).argmax(1)
    assert owner[0] == owner[2] == owner[4] != owner[1] == owner[3] == owner[5]


def test_clusters_carry_no_gradient() -> None:
    attention = torch.rand(4, 4, requires_grad=True)
    assert not cluster_pixels(attention, torch.arange(4), (2, 2), 2).requires_grad
