"""Overlap of masks against a loop over all pairs and pixels, and its gradient against finite differences."""

from __future__ import annotations

import itertools

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.isac.losses import max_pairwise_overlap
from hypothesis import given, settings
from hypothesis import strategies as st


def double_loop(masks: torch.Tensor) -> float:
    rows = masks.tolist()
    pairs = itertools.combinations(rows, 2)
    return max((a * b for one, other in pairs for a, b in zip(one, other, strict=True)), default=0.0)


@settings(max_examples=60, deadline=None)
@given(masks=st.integers(1, 6), pixels=st.integers(1, 12), seed=st.integers(0, 9999))
def test_equals_the_double_loop(masks: int, pixels: int, seed: int) -> None:
    values = torch.rand(masks, pixels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    assert float(max_pairwise_overlap(values)) == double_loop(values)


@settings(max_examples=20, deadline=None)
@given(masks=st.integers(2, 5), pixels=st.integers(1, 6), seed=st.integers(0, 9999))
def test_gradient_is_the_finite_difference(masks: int, pixels: int, seed: int) -> None:
    values = torch.rand(masks, pixels, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    values.requires_grad_()
    (gradient,) = torch.autograd.grad(max_pairwise_overlap(values), values)
    width = 1e-7
    for place in itertools.product(range(masks), range(pixels)):
        moved = values.detach().clone()
        moved[place] += width
        above = max_pairwise_overlap(moved)
        moved[place] -= 2 * width
        measured = float(above - max_pairwise_overlap(moved)) / (2 * width)
        assert abs(measured - float(gradient[place])) < 1e-5


def test_gradient_touches_one_pixel_of_two_masks() -> None:
    values = torch.rand(4, 9, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(max_pairwise_overlap(values), values)
    assert len(gradient.nonzero()) == 2 and gradient.nonzero()[:, 1].unique().numel() == 1


def test_a_single_mask_overlaps_nothing() -> None:
    assert max_pairwise_overlap(torch.rand(1, 5)) == 0
    assert max_pairwise_overlap(torch.rand(0, 5)) == 0


def test_separate_masks_do_not_overlap() -> None:
    assert max_pairwise_overlap(torch.eye(4)) == 0


@pytest.mark.parametrize("shape", [(5,), (1, 2, 3)])
def test_wrong_shape(shape: tuple[int, ...]) -> None:
    with pytest.raises(CountError, match="masks must be"):
        max_pairwise_overlap(torch.rand(shape))
