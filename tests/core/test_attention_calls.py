"""Attention probabilities against a plain softmax, one query at a time."""

from __future__ import annotations

import math

import pytest
import torch
from headcount.core.attention.calls import AttentionCall, mean_probabilities, split_heads
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import random_call


def plain(queries: torch.Tensor, keys: torch.Tensor) -> list[list[float]]:
    """Softmax of one head's scaled scores, in Python numbers."""
    rows = []
    for query in queries.tolist():
        scores = [sum(a * b for a, b in zip(query, key, strict=True)) / math.sqrt(len(query)) for key in keys.tolist()]
        powers = [math.exp(score - max(scores)) for score in scores]
        rows.append([power / sum(powers) for power in powers])
    return rows


@settings(max_examples=15, deadline=None)
@given(
    kind=st.sampled_from(["self", "cross"]),
    grid=st.tuples(st.integers(1, 3), st.integers(1, 3)),
    heads=st.integers(1, 3),
    batch=st.integers(1, 2),
    seed=st.integers(0, 999),
)
def test_mean_probabilities_is_a_plain_softmax(kind, grid, heads, batch, seed) -> None:
    call = random_call(kind, grid, seed, batch, heads)
    expected = torch.tensor(
        [
            [plain(queries, keys) for queries, keys in zip(*pair, strict=True)]
            for pair in zip(call.queries, call.keys, strict=True)
        ]
    ).mean(1)
    found = mean_probabilities(call)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-5)
    torch.testing.assert_close(found.sum(-1), torch.ones(found.shape[:2]))


def test_half_precision_is_computed_in_float32() -> None:
    call = random_call("self", (4, 4), 1)
    half = AttentionCall(call.layer, call.kind, call.grid, (call.queries * 60).half(), (call.keys * 60).half())
    found = mean_probabilities(half)
    assert found.dtype == torch.float32
    assert torch.isfinite(found).all()


def test_gradient_reaches_queries_and_keys() -> None:
    call = random_call("cross", (2, 2), 3)
    queries, keys = call.queries.requires_grad_(), call.keys.requires_grad_()
    mean_probabilities(AttentionCall("a", "cross", (2, 2), queries, keys)).square().sum().backward()
    assert queries.grad.abs().max() > 0 and keys.grad.abs().max() > 0


def test_no_heads() -> None:
    empty = torch.zeros(1, 0, 4, 2)
    with pytest.raises(CountError, match=r"'middle.1.0' has no heads"):
        mean_probabilities(AttentionCall("middle.1.0", "self", (2, 2), empty, empty))


def test_split_heads_keeps_each_heads_channels_together() -> None:
    tokens = torch.arange(2 * 3 * 8).view(2, 3, 8)
    heads = split_heads(tokens, 4)
    assert heads.shape == (2, 4, 3, 2)
    for head in range(4):
        assert torch.equal(heads[:, head], tokens[:, :, 2 * head : 2 * head + 2])
