"""Attention of all layers as one map, against upsampling every head by itself."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention.calls import AttentionCall, mean_probabilities
from headcount.core.attention.mean_maps import (
    AttentionMaps,
    aggregate,
    fold_repeats,
    largest_grid,
    min_max,
    normalised,
)
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import random_call, random_maps
from ..reference_isac import reference_maps

CALLS = [
    random_call("self", (3, 4), 1, heads=1),
    random_call("cross", (3, 4), 2, heads=1),
    random_call("self", (5, 7), 3, heads=2),
    random_call("cross", (5, 7), 4, heads=2),
    random_call("self", (3, 4), 5, heads=4),
    random_call("cross", (3, 4), 6, heads=4),
]


def layers(kind: str, item: int) -> list[tuple[tuple[int, int], torch.Tensor, torch.Tensor]]:
    return [(c.grid, c.queries[item].double(), c.keys[item].double()) for c in CALLS if c.kind == kind]


@pytest.mark.parametrize("grid", [None, (5, 7), (3, 4), (8, 8)])
def test_equals_upsampling_every_head(grid: tuple[int, int] | None) -> None:
    maps = aggregate(CALLS, grid)
    assert maps.grid == (grid or (5, 7))
    for item in range(2):
        own, cross = reference_maps(layers("self", item), layers("cross", item), maps.grid)
        torch.testing.assert_close(maps.self_attention[item].double(), own, atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(maps.cross_attention[item].double(), cross, atol=1e-6, rtol=1e-5)


def test_one_resolution_is_the_mean_over_heads() -> None:
    calls = [call for call in CALLS if call.grid == (5, 7)]
    maps = aggregate(calls)
    torch.testing.assert_close(maps.self_attention, mean_probabilities(calls[0]))
    torch.testing.assert_close(maps.self_attention.sum(-1), torch.ones(2, 35))


@pytest.mark.parametrize("kind", ["self", "cross"])
def test_missing_kind(kind: str) -> None:
    with pytest.raises(CountError, match=f"made no {kind}-attention call"):
        aggregate([call for call in CALLS if call.kind != kind])


def test_no_calls() -> None:
    with pytest.raises(CountError, match="made no attention call"):
        largest_grid([])


def test_calls_are_left_as_they_are() -> None:
    before = [(call.queries.clone(), call.keys.clone()) for call in CALLS]
    aggregate(CALLS)
    for call, (queries, keys) in zip(CALLS, before, strict=True):
        assert torch.equal(call.queries, queries) and torch.equal(call.keys, keys)


def test_gradient_reaches_every_call() -> None:
    calls = [
        AttentionCall(c.layer, c.kind, c.grid, c.queries.clone().requires_grad_(), c.keys.clone().requires_grad_())
        for c in CALLS
    ]
    maps = aggregate(calls)
    (maps.self_attention.square().sum() + maps.cross_attention.square().sum()).backward()
    assert all(call.queries.grad.abs().max() > 0 for call in calls)


def test_propagated() -> None:
    maps = random_maps((2, 3), 4, 0, batch=2)
    expected = torch.einsum("bpq,bqt->bpt", maps.self_attention, maps.cross_attention)
    torch.testing.assert_close(maps.propagated(), expected)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 99), scale=st.floats(1e-3, 1e3), shift=st.floats(-10, 10))
def test_min_max_spans_0_to_1_per_picture(seed: int, scale: float, shift: float) -> None:
    maps = torch.rand(3, 4, 5, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    found = min_max(maps * scale + shift)
    assert torch.equal(found.amin((1, 2)), torch.zeros(3, dtype=torch.float64))
    torch.testing.assert_close(found.amax((1, 2)), torch.ones(3, dtype=torch.float64))
    torch.testing.assert_close(found, min_max(maps), atol=1e-6, rtol=1e-6)


def test_min_max_of_a_flat_map_is_zero() -> None:
    assert torch.equal(min_max(torch.full((2, 3, 3), 0.25)), torch.zeros(2, 3, 3))


def test_min_max_holds_the_extremes_constant() -> None:
    maps = torch.rand(1, 3, 3, dtype=torch.float64, requires_grad=True)
    min_max(maps).sum().backward()
    span = float(maps.detach().max() - maps.detach().min())
    torch.testing.assert_close(maps.grad, torch.full_like(maps, 1 / span))


def test_normalised_scales_both_maps() -> None:
    maps = random_maps((2, 3), 4, 0, batch=2)
    found = normalised(maps)
    assert isinstance(found, AttentionMaps) and found.grid == maps.grid
    assert torch.equal(found.self_attention, min_max(maps.self_attention))
    assert torch.equal(found.cross_attention, min_max(maps.cross_attention))


@given(length=st.integers(1, 5), repeats=st.integers(1, 4))
def test_fold_repeats_adds_up_copies(length: int, repeats: int) -> None:
    cross = torch.rand(2, 3, length * repeats, dtype=torch.float64)
    expected = sum(cross[..., start : start + length] for start in range(0, length * repeats, length))
    torch.testing.assert_close(fold_repeats(cross, length), expected)


def test_fold_repeats_of_something_else() -> None:
    with pytest.raises(CountError, match="reads 7 text tokens, the prompt has 3"):
        fold_repeats(torch.rand(1, 2, 7), 3)
