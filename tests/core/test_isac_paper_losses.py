"""ISAC's objective against its equations written by hand, value and gradient, in float64."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention.mean_maps import AttentionMaps
from headcount.core.isac.objective import paper_losses
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.target import PromptTarget
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import random_maps
from ..reference_isac import reference_losses

CASES = {
    "one noun": (((2,),), (3,)),
    "two nouns": (((1,), (4,)), (2, 1)),
    "nouns of several tokens": (((1, 2), (4,), (0, 5)), (1, 2, 2)),
}


def leaves(maps: AttentionMaps) -> AttentionMaps:
    return AttentionMaps(
        maps.self_attention.clone().requires_grad_(), maps.cross_attention.clone().requires_grad_(), maps.grid
    )


def relative_difference(one: torch.Tensor | None, other: torch.Tensor | None) -> float:
    one, other = (torch.zeros(1, dtype=torch.float64) if value is None else value for value in (one, other))
    length = float(other.norm())
    return float((one - other).norm()) / length if length else float(one.norm())


@settings(max_examples=12, deadline=None)
@given(
    case=st.sampled_from(sorted(CASES)),
    seed=st.integers(0, 9999),
    grid=st.sampled_from([(4, 4), (3, 5)]),
    share=st.sampled_from([0.0, 0.3, 1.0]),
)
def test_equals_the_equations(case: str, seed: int, grid: tuple[int, int], share: float) -> None:
    tokens, counts = CASES[case]
    maps = random_maps(grid, 6, seed, batch=2)
    ours, by_hand = leaves(maps), leaves(maps)
    found = paper_losses(ours, PromptTarget(tokens, counts), LossWeights(share, 1 - share))
    expected = [
        reference_losses(own, cross, grid, tokens, counts, share, 1 - share)
        for own, cross in zip(by_hand.self_attention, by_hand.cross_attention, strict=True)
    ]
    for name in ("instance", "semantic", "total"):
        values = torch.stack([getattr(losses, name) for losses in expected])
        assert relative_difference(getattr(found, name).detach(), values.detach()) < 1e-10, name
    if found.total.requires_grad:
        found.total.sum().backward()
        sum(losses.total for losses in expected).backward()
    assert relative_difference(ours.self_attention.grad, by_hand.self_attention.grad) < 1e-10
    assert relative_difference(ours.cross_attention.grad, by_hand.cross_attention.grad) < 1e-10


def test_gradient_is_the_finite_difference() -> None:
    maps = random_maps((3, 4), 5, 7)
    target, weights = PromptTarget(((1,), (3,)), (2, 1)), LossWeights(0.6, 0.4)
    ours = leaves(maps)
    total = paper_losses(ours, target, weights).total.sum()
    gradients = torch.autograd.grad(total, (ours.self_attention, ours.cross_attention))
    # A step along the gradient, taken away from the extremes, which are held constant.
    width = 1e-7
    for index, gradient in enumerate(gradients):
        moved = [maps.self_attention, maps.cross_attention]
        values = moved[index]
        inner = (values != values.amax()) & (values != values.amin())
        direction = gradient * inner
        ends = []
        for sign in (1, -1):
            pair = list(moved)
            pair[index] = values + sign * width * direction
            ends.append(float(paper_losses(AttentionMaps(*pair, maps.grid), target, weights).total.sum()))
        measured = (ends[0] - ends[1]) / (2 * width)
        expected = float((gradient * direction).sum())
        assert expected > 0 and measured == pytest.approx(expected, rel=1e-4)


def test_pictures_of_a_batch_do_not_mix() -> None:
    maps = random_maps((4, 4), 6, 3, batch=3)
    target, weights = PromptTarget(*CASES["two nouns"]), LossWeights(0.5, 0.5)
    together = paper_losses(maps, target, weights)
    for item in range(3):
        alone = AttentionMaps(maps.self_attention[[item]], maps.cross_attention[[item]], maps.grid)
        torch.testing.assert_close(paper_losses(alone, target, weights).total, together.total[[item]])


def test_one_thing_overlaps_nothing() -> None:
    losses = paper_losses(random_maps((4, 4), 6, 3), PromptTarget(((1,),), (1,)), LossWeights(0.5, 0.5))
    assert losses.instance.tolist() == losses.semantic.tolist() == losses.total.tolist() == [0.0]


def test_instances_in_all() -> None:
    assert PromptTarget(((1,), (2,)), (3, 4)).instances == 7
