"""Maps, rows and columns in bounded memory against whole matrices."""

from __future__ import annotations

import pytest
import torch
from headcount.core.attention import rows as rows_module
from headcount.core.attention.calls import AttentionCall, head_probabilities, mean_probabilities
from headcount.core.attention.fused import column_gradient, mean_columns
from headcount.core.attention.mean_maps import aggregate, mean_over_layers, token_columns
from headcount.core.attention.picture import picture_maps
from headcount.core.attention.rows import PictureRows
from headcount.core.errors import CountError
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import random_call


def joint_call(seed: int, grid: tuple[int, int] = (4, 5), dtype: torch.dtype = torch.float64, text: int = 6):
    generator = torch.Generator().manual_seed(seed)
    pixels = grid[0] * grid[1]
    queries, keys, bias = (
        torch.randn(*shape, generator=generator, dtype=dtype)
        for shape in ((2, 3, pixels, 4), (2, 3, pixels + text, 4), (2, 1, 1, pixels + text))
    )
    return AttentionCall("joint", "joint", grid, queries, keys, slice(pixels, None), slice(0, pixels), bias)


KINDS_AND_GRIDS = [(kind, grid) for kind in ("self", "cross") for grid in ((3, 4), (6, 7))]
CALLS = [random_call(kind, grid, seed) for seed, (kind, grid) in enumerate(KINDS_AND_GRIDS)]
CALLS.append(joint_call(9, (6, 7), torch.float32, 7))


@pytest.mark.parametrize("target", [(6, 7), (3, 4), (4, 4), (8, 8)])
@pytest.mark.parametrize("most", [1, 200, 1 << 20])
def test_one_picture_of_the_aggregated_maps(target, most, monkeypatch) -> None:
    monkeypatch.setattr(rows_module, "_MAX_SCORES_ON_CPU", most)
    whole = aggregate(CALLS, target)
    for item in range(2):
        maps = picture_maps(CALLS, item, target)
        assert maps.grid == target and maps.self_attention.shape == (1, *whole.self_attention.shape[1:])
        torch.testing.assert_close(maps.self_attention[0], whole.self_attention[item], atol=1e-6, rtol=1e-5)
        torch.testing.assert_close(maps.cross_attention[0], whole.cross_attention[item], atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("kind", ["self", "cross"])
def test_missing_kind(kind: str) -> None:
    with pytest.raises(CountError, match=f"made no {kind}-attention call"):
        picture_maps([call for call in CALLS if call.kind not in (kind, "joint")], 0, (3, 4))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), chosen=st.lists(st.integers(0, 19), min_size=1, max_size=6, unique=True))
def test_rows_and_their_pull(seed: int, chosen: list[int]) -> None:
    call, rows = joint_call(seed), torch.tensor(chosen)
    queries, keys = call.queries.requires_grad_(), call.keys.requires_grad_()
    sums = mean_probabilities(call)[1, rows] * 3
    gradient = torch.randn(sums.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    by_queries, by_keys = torch.autograd.grad(sums, (queries, keys), gradient)
    picture = PictureRows(call, 1)
    torch.testing.assert_close(picture.head_sums(rows), sums.detach(), rtol=1e-12, atol=1e-14)
    found = picture.gradient(rows, gradient)
    torch.testing.assert_close(found[0], by_queries[1][:, rows], rtol=1e-10, atol=1e-12)
    torch.testing.assert_close(found[1], by_keys[1], rtol=1e-10, atol=1e-12)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), tokens=st.lists(st.integers(0, 5), min_size=1, max_size=6, unique=True))
def test_fused_columns_and_their_pull(seed: int, tokens: list[int]) -> None:
    """Up to six columns of heads with four channels: more than fit one fused call."""
    call = joint_call(seed)
    queries, keys = call.queries.requires_grad_(), call.keys.requires_grad_()
    columns = mean_probabilities(call, call.text)[..., tokens]
    torch.testing.assert_close(mean_columns(call, tuple(tokens)), columns.detach(), rtol=1e-10, atol=1e-13)
    gradient = torch.randn(columns.shape[1:], generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    expected = torch.autograd.grad(columns[1] * 3, (queries, keys), gradient)
    for found, whole in zip(column_gradient(call, 1, tuple(tokens), gradient), expected, strict=True):
        torch.testing.assert_close(found, whole[1], rtol=1e-9, atol=1e-12)


def test_token_columns_are_those_of_the_mean() -> None:
    cross = [call for call in CALLS if call.kind != "self"]
    found = token_columns(cross, (1, 4), (6, 7))
    torch.testing.assert_close(found, mean_over_layers(cross, "cross", (6, 7))[..., [1, 4]], atol=1e-6, rtol=1e-5)
    plain = [call for call in cross if call.kind == "cross" and call.grid == (6, 7)]
    assert torch.equal(token_columns(plain, (1, 4), (6, 7)), mean_over_layers(plain, "cross", (6, 7))[..., [1, 4]])
    with pytest.raises(CountError, match="token position 7 does not fit a context of 7 tokens"):
        token_columns(cross, (1, 7), (6, 7))
    with pytest.raises(CountError, match="made no cross-attention"):
        token_columns([CALLS[0]], (1,), (6, 7))


def test_some_columns_of_a_softmax_over_all() -> None:
    call = joint_call(1)
    assert torch.equal(mean_probabilities(call, call.text), mean_probabilities(call)[..., call.text])
    assert head_probabilities(call, 0).shape == (2, 20, 26)


def test_no_heads() -> None:
    empty = torch.zeros(1, 0, 4, 2)
    with pytest.raises(CountError, match=r"'middle.1.0' has no heads"):
        PictureRows(AttentionCall("middle.1.0", "self", (2, 2), empty, empty), 0)
