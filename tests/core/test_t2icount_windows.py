"""Windows over a picture, and maps of windows put together again."""

from __future__ import annotations

import pytest
import torch
from headcount.core.t2icount.windows import Joined, cut_windows, window_corners, window_starts
from hypothesis import given
from hypothesis import strategies as st
from torch.nn.functional import interpolate


@pytest.mark.parametrize(
    ("length", "starts"),
    [
        (384, [0]),
        (400, [0, 16]),
        (768, [0, 384]),
        (769, [0, 384, 385]),
        (720, [0, 336]),
        (1280, [0, 384, 768, 896]),
    ],
)
def test_starts_are_the_published_ones(length: int, starts: list[int]) -> None:
    assert window_starts(length, 384) == starts


@given(length=st.integers(1, 500), window=st.integers(1, 60), stride=st.none() | st.integers(1, 60))
def test_windows_cover_everything_and_stay_inside(length: int, window: int, stride: int | None) -> None:
    length, stride = max(length, window), stride and min(stride, window)
    starts = window_starts(length, window, stride)
    covered = {place for start in starts for place in range(start, start + window)}
    assert covered == set(range(length))
    assert starts == sorted(set(starts))
    if stride is None:
        assert len(starts) == -(-length // window)
    else:
        assert starts == sorted({*range(0, length - window, stride), length - window})


def test_corners_go_row_by_row() -> None:
    assert window_corners(5, 9, 4) == [(0, 0), (0, 4), (0, 5), (1, 0), (1, 4), (1, 5)]


def test_cut() -> None:
    picture = torch.arange(3 * 5 * 6.0).reshape(3, 5, 6)
    windows = cut_windows(picture, [(0, 0), (1, 2)], 4)
    assert torch.equal(windows[0], picture[:, :4, :4]) and torch.equal(windows[1], picture[:, 1:, 2:])


@pytest.mark.parametrize("size", [(16, 16), (40, 16), (37, 50)])
@pytest.mark.parametrize("batch", [1, 3])
@pytest.mark.parametrize("stride", [None, 5])
def test_joined_is_the_mean_over_the_windows_that_show_a_pixel(
    size: tuple[int, int], batch: int, stride: int | None
) -> None:  # fmt: skip
    corners = window_corners(*size, 16, stride)
    maps = torch.rand(len(corners), 2, 4, 4, generator=torch.Generator().manual_seed(0))
    joined = Joined(2, *size, 16, stride)
    for first in range(0, len(corners), batch):
        joined.add(corners[first : first + batch], maps[first : first + batch])
    total, covered = torch.zeros(2, *size), torch.zeros(size)
    for (top, left), one in zip(corners, maps, strict=True):
        total[:, top : top + 16, left : left + 16] += interpolate(one[None], scale_factor=4, mode="bilinear")[0]
        covered[top : top + 16, left : left + 16] += 1
    torch.testing.assert_close(joined.mean(), total / covered)


def test_enlarging_a_density_keeps_its_sum() -> None:
    """So without overlap the count is the sum of the cells."""
    cells = torch.rand(1, 1, 6, 6, generator=torch.Generator().manual_seed(0))
    joined = Joined(1, 48, 48, 48)
    joined.add([(0, 0)], cells / 8**2)
    torch.testing.assert_close(joined.mean().sum(), cells.sum())
