"""A count drawn over its picture: heat, dots, label."""

from __future__ import annotations

import pytest
import torch
from headcount.core.drawing.counts import count_overlay, dot_radius
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st

GREY = 0.5


def grey(height: int, width: int) -> torch.Tensor:
    return torch.full((height, width, 3), GREY)


def changed(drawn: torch.Tensor) -> torch.Tensor:
    """(H, W) where the grey picture is not grey any more."""
    return ((drawn - GREY).abs() > 1e-6).any(-1)


def test_heat_lies_on_the_density() -> None:
    density = torch.zeros(100, 200)
    density[60:70, 150:160] = 0.004
    density[80, 20] = 0.001
    found = changed(count_overlay(grey(100, 200), density, [], 1.0, "cat"))
    below_the_label = found[20:]
    assert torch.equal(below_the_label, density[20:] > 0)


def test_the_scale_of_a_density_does_not_matter() -> None:
    density = torch.rand(40, 50)
    one = count_overlay(grey(40, 50), density, [], 3.0, "cats")
    torch.testing.assert_close(one, count_overlay(grey(40, 50), density * 1e-4, [], 3.0, "cats"))


def test_a_dot_on_each_point() -> None:
    points = [(30.0, 60.0), (150.0, 80.0)]
    drawn = count_overlay(grey(100, 200), torch.zeros(100, 200), points, 2.0, "cats")
    for x, y in points:
        inside, rim = drawn[int(y), int(x)], drawn[int(y), int(x + dot_radius(100, 200, 2) + 1)]
        assert inside[1] == 1.0 and rim.max() < 0.3, "bright, with a dark rim"
    rows, columns = changed(drawn)[20:].nonzero().unbind(1)
    assert rows.min() + 20 > 55 and columns.min() > 25 and columns.max() < 155, "nothing beside the dots"


def test_a_point_on_the_edge_and_past_it() -> None:
    drawn = count_overlay(grey(100, 100), torch.zeros(100, 100), [(100.0, 100.0), (500.0, 500.0)], 2.0, "cats")
    assert changed(drawn)[-1, -1] and changed(drawn)[20:].sum() < 20


def test_dots_follow_the_picture_and_the_crowd() -> None:
    assert dot_radius(1000, 2000, 5) == pytest.approx(4 * dot_radius(250, 500, 5))
    assert dot_radius(1000, 1000, 2000) < dot_radius(1000, 1000, 5) / 3
    assert dot_radius(1, 1, 5) == 1.0


def test_nothing_found_is_the_picture_with_its_label() -> None:
    drawn = count_overlay(grey(120, 160), torch.rand(120, 160) * 1e-6, [], 0.2, "cats")
    rows, columns = changed(drawn).nonzero().unbind(1)
    assert len(rows) and rows.max() < 16 and columns.max() < 90
    assert drawn[:16, :90].max() > 0.9, "light letters"


def test_a_long_noun_fits() -> None:
    drawn = count_overlay(grey(60, 90), torch.zeros(60, 90), [], 3.0, "very long noun of very many words")
    assert changed(drawn).any() and not changed(drawn)[12:].any()


@pytest.mark.parametrize("size", [(1, 1), (1, 3000), (3000, 1), (12, 12), (2200, 1100)])
def test_any_size(size: tuple[int, int]) -> None:
    height, width = size
    drawn = count_overlay(grey(*size), torch.rand(size), [(width / 2, height / 2)], 1.0, "cats")
    assert drawn.shape == (*size, 3) and drawn.isfinite().all()
    assert changed(drawn)[height // 2, width // 2]


def test_a_noun_of_two_lines() -> None:
    one = count_overlay(grey(60, 90), torch.zeros(60, 90), [], 3.0, "red\ncats")
    assert torch.equal(one, count_overlay(grey(60, 90), torch.zeros(60, 90), [], 3.0, "red cats"))


@settings(max_examples=30, deadline=None)
@given(height=st.integers(1, 60), width=st.integers(1, 60), number=st.floats(0, 1e4), noun=st.text(max_size=40))
def test_stays_a_picture(height: int, width: int, number: float, noun: str) -> None:
    generator = torch.Generator().manual_seed(height * 100 + width)
    picture, density = torch.rand(height, width, 3, generator=generator), torch.rand(height, width, generator=generator)
    before = picture.clone()
    drawn = count_overlay(picture, density, [(0.0, 0.0), (float(width), float(height))], number, noun)
    assert drawn.shape == picture.shape and drawn.min() >= 0 and drawn.max() <= 1
    assert torch.equal(picture, before)


def test_other_sizes_are_named() -> None:
    with pytest.raises(CountError, match=r"an image of \(5, 6\) does not fit a density of \(6, 5\)"):
        count_overlay(torch.rand(5, 6, 3), torch.rand(6, 5), [], 1.0, "cats")
