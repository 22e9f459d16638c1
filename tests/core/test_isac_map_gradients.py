"""Sparse gradients of both objectives against differentiating all of it at once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch
from headcount.core.attention import rows
from headcount.core.attention.calls import AttentionCall, Grid
from headcount.core.attention.mean_maps import aggregate
from headcount.core.errors import CountError
from headcount.core.isac import objective as objective_module
from headcount.core.isac.anchored import AnchoredObjective, anchored_losses
from headcount.core.isac.differentiate import CallGradient, StepLosses, whole_gradients
from headcount.core.isac.map_gradients import MapGradient, MapGradients, gradients_at
from headcount.core.isac.objective import PaperObjective, paper_grid, paper_losses
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.target import PromptTarget
from hypothesis import given, settings
from hypothesis import strategies as st

TEXT = 9
BIAS = (None, (1, 1, 1), (1, 0, 1), (0, 1, 0), (0, 0, 0))
NOUNS = ((1,), (2, 3), (5,))
ATTRIBUTES = (((6,),), ((7,), (8, 0)), ())
HALF = LossWeights(0.5, 0.5)


def some_call(
    kind: str, grid: Grid, seed: int, batch: int, heads: int, spread: tuple[int, int, int] | None
) -> AttentionCall:
    """A float64 call; `spread` says over which of batch, heads and rows its bias is broadcast."""
    generator = torch.Generator().manual_seed(seed)
    pixels = grid[0] * grid[1]
    keys = {"self": pixels, "cross": TEXT, "joint": pixels + TEXT}[kind]

    def values(*shape: int) -> torch.Tensor:
        return 1.5 * torch.randn(*shape, generator=generator, dtype=torch.float64)

    bias = None
    if spread is not None:
        bias = values(*(1 if one else size for one, size in zip(spread, (batch, heads, pixels), strict=True)), keys)
    parts = (slice(0, TEXT), slice(TEXT, None)) if kind == "joint" else (None, None)
    queries = values(batch, heads, pixels, 4)
    return AttentionCall(f"layer.{seed}", kind, grid, queries, values(batch, heads, keys, 4), *parts, bias)


@st.composite
def recorded(draw) -> list[AttentionCall]:
    batch = draw(st.integers(1, 3))
    grids = draw(st.sampled_from([[(4, 4), (8, 8)], [(3, 5), (5, 9), (2, 3)], [(6, 6)], [(2, 7), (1, 4)]]))
    calls = []
    for grid in grids:
        for kind in draw(st.sampled_from([("self", "cross"), ("joint",), ("joint", "self"), ("cross", "joint")])):
            seed = draw(st.integers(0, 9999))
            calls.append(some_call(kind, grid, seed, batch, draw(st.integers(1, 3)), draw(st.sampled_from(BIAS))))
    return [*calls, some_call("self", grids[0], draw(st.integers(0, 9999)), batch, 1, None)]


@st.composite
def targets(draw) -> PromptTarget:
    many = draw(st.integers(1, 3))
    counts = draw(st.tuples(*[st.integers(1, 3)] * many))
    return PromptTarget(NOUNS[:many], counts, ATTRIBUTES[:many] if draw(st.booleans()) else ())


def flat(call_gradients: list[CallGradient], calls: list[AttentionCall]) -> torch.Tensor:
    """Pulls at all calls as one vector, 0 where there are none."""
    by_call = {id(one.call): one for one in call_gradients}
    nothing = {
        id(call): CallGradient(call, torch.zeros_like(call.queries), torch.zeros_like(call.keys)) for call in calls
    }
    chosen = [{**nothing, **by_call}[id(call)] for call in calls]
    return torch.cat([part.flatten().double() for one in chosen for part in (one.queries, one.keys)])


def difference(one: torch.Tensor, other: torch.Tensor) -> float:
    return float((one - other).norm()) / (float(other.norm()) or 1.0)


def assert_same(sparse: object, whole: Callable[[list[AttentionCall]], StepLosses], calls: list[AttentionCall]) -> None:
    losses, call_gradients = sparse(calls)
    expected, expected_gradients = whole_gradients(whole, calls)
    for name in ("instance", "semantic", "total"):
        found = getattr(losses, name)
        assert not found.requires_grad
        torch.testing.assert_close(found.double(), getattr(expected, name), rtol=1e-10, atol=1e-14)
    assert difference(flat(call_gradients, calls), flat(expected_gradients, calls)) < 1e-10


@settings(max_examples=60, deadline=None)
@given(calls=recorded(), target=targets(), bind=st.booleans(), share=st.sampled_from([0.0, 0.3, 1.0]))
def test_paper_equals_the_full_graph(calls, target, bind, share) -> None:
    weights = LossWeights(share, 1 - share)
    assert_same(
        PaperObjective(target, weights, bind=bind),
        lambda own: paper_losses(aggregate(own), target, weights, bind=bind),
        calls,
    )


@settings(max_examples=40, deadline=None)
@given(calls=recorded(), target=targets(), bind=st.booleans())
def test_anchored_equals_the_full_graph(calls, target, bind) -> None:
    sparse = AnchoredObjective(target, bind=bind)
    assert_same(sparse, lambda own: anchored_losses(own, sparse), sparse.select(calls))


def test_anchored_on_a_fine_grid_equals_the_full_graph() -> None:
    for kind in ("cross", "joint"):
        calls = [some_call(kind, (25, 38), seed, 2, 2, (1, 1, 1)) for seed in (1, 2)]
        target = PromptTarget(NOUNS, (2, 1, 1), ATTRIBUTES)
        assert_same(
            AnchoredObjective(target, bind=True),
            lambda own, t=target: anchored_losses(own, AnchoredObjective(t, bind=True)),
            calls,
        )


@pytest.mark.parametrize("clustering", ["kmeans", "spectral", "gmm"])
def test_every_clustering_equals_the_full_graph(clustering) -> None:
    calls = [some_call(kind, (6, 6), seed, 1, 2, None) for seed, kind in enumerate(["self", "cross"])]
    target = PromptTarget(NOUNS[:2], (2, 1))
    assert_same(
        PaperObjective(target, HALF, clustering),
        lambda own: paper_losses(aggregate(own), target, HALF, clustering),
        calls,
    )


@pytest.mark.parametrize("kinds", [("self", "cross"), ("joint",)])
def test_finer_layers_than_the_maps(kinds, monkeypatch) -> None:
    """With the maps' grid held down, finer layers are pooled into it, in blocks of rows."""
    monkeypatch.setattr(objective_module, "_MAX_CELLS", 30)
    monkeypatch.setattr(rows, "_MAX_SCORES_ON_CPU", 700)
    calls = [some_call(k, grid, i, 2, 2, None) for grid in ((9, 10), (5, 5)) for i, k in enumerate(kinds)]
    assert paper_grid(calls) == (5, 5)
    target = PromptTarget(NOUNS[:2], (2, 1))
    assert_same(PaperObjective(target, HALF), lambda own: paper_losses(aggregate(own, (5, 5)), target, HALF), calls)


def test_the_maps_have_at_most_64_by_64_cells() -> None:
    for grid, expected in {(64, 64): (64, 64), (128, 128): (64, 64), (97, 65): (49, 33), (8, 8): (8, 8)}.items():
        empty = torch.zeros(1, 1, grid[0] * grid[1], 1)
        assert paper_grid([AttentionCall("a", "self", grid, empty, empty)]) == expected


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
@pytest.mark.parametrize("kinds", [("self", "cross"), ("joint",)])
def test_half_precision_points_the_same_way(dtype, kinds) -> None:
    whole = [some_call(kind, (12, 12), seed, 2, 2, None) for seed, kind in enumerate(kinds)]
    half = [replace(call, queries=call.queries.to(dtype), keys=call.keys.to(dtype)) for call in whole]
    exact = [replace(call, queries=call.queries.double(), keys=call.keys.double()) for call in half]
    target = PromptTarget(NOUNS[:2], (2, 2))
    for sparse in (PaperObjective(target, HALF), AnchoredObjective(target)):
        call_gradients, expected = sparse(sparse.select(half))[1], sparse(sparse.select(exact))[1]
        assert all(part.dtype == dtype for one in call_gradients for part in (one.queries, one.keys))
        found = flat(call_gradients, sparse.select(half))
        assert torch.cosine_similarity(found, flat(expected, sparse.select(exact)), dim=0) > 0.9999


def test_only_the_words_in_the_largest_overlaps_have_a_gradient() -> None:
    """Text keys beside the tokens of two words stay as they are, but for what the softmax takes from all alike."""
    calls = [some_call(kind, (6, 6), seed, 1, 1, None) for seed, kind in enumerate(["self", "cross"])]
    seen: list[MapGradient] = []

    def spy(gradients: list[MapGradient], heads: dict[str, int]) -> MapGradients:
        seen.extend(gradients)
        return MapGradients(gradients, heads)

    target = PromptTarget(NOUNS, (1, 1, 1), ATTRIBUTES)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(objective_module, "MapGradients", spy)
        PaperObjective(target, LossWeights(0.0, 1.0))(calls)
        PaperObjective(target, LossWeights(0.0, 1.0), bind=True)(calls)
        PaperObjective(target, LossWeights(1.0, 0.0))(calls)
    classes, words, instances = seen
    assert len(classes.pixels) == 1 and set(classes.tokens) in ({1, 2, 3}, {1, 5}, {2, 3, 5})
    assert len(words.pixels) == 2 and len(words.tokens) <= 8
    assert len(instances.pixels) == 1 and instances.tokens == ()


def test_one_thing_needs_no_maps() -> None:
    losses, call_gradients = PaperObjective(PromptTarget(((1,),), (1,)), HALF)(
        [some_call("self", (4, 4), 1, 2, 1, None)]
    )
    assert losses.total.tolist() == [0.0, 0.0] and call_gradients == []


@pytest.mark.parametrize("kind", ["self", "cross"])
def test_both_kinds_are_needed(kind) -> None:
    with pytest.raises(CountError, match="attention call that could be recorded"):
        PaperObjective(PromptTarget(NOUNS, (1, 1, 1)), HALF)([some_call(kind, (4, 4), 1, 1, 1, None)])


def test_nothing_is_changed_and_inference_mode_is_left() -> None:
    calls = [some_call(kind, (6, 6), seed, 1, 1, (1, 1, 1)) for seed, kind in enumerate(["self", "joint"])]
    kept = [[value.clone() for value in (call.queries, call.keys, call.bias)] for call in calls]
    for sparse in (
        PaperObjective(PromptTarget(NOUNS, (1, 1, 1)), HALF),
        AnchoredObjective(PromptTarget(NOUNS, (1, 1, 1))),
    ):
        with torch.inference_mode():
            _, call_gradients = sparse(sparse.select(calls))
        assert call_gradients and not any(
            part.is_inference() for one in call_gradients for part in (one.queries, one.keys)
        )
    for call, values in zip(calls, kept, strict=True):
        assert all(map(torch.equal, (call.queries, call.keys, call.bias), values))


def test_pictures_without_gradient_get_zeros() -> None:
    calls = [some_call("cross", (4, 4), 1, 2, 2, None)]
    nowhere = torch.zeros(0, dtype=torch.int64)
    gradient = MapGradient((4, 4), nowhere, torch.zeros(0, 16).double(), (1,), torch.rand(16, 1).double())
    (one,) = gradients_at(calls, [None, gradient])
    assert not one.queries[0].any() and not one.keys[0].any() and one.queries[1].any() and one.keys[1].any()
    assert gradients_at(calls, [None, None]) == []
