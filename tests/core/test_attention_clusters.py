"""K-means: deterministic, and scikit-learn's where both start from the same centres."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from headcount.core.attention.clusters import cluster, farthest_points, kmeans
from headcount.core.errors import CountError
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from sklearn.cluster import KMeans

from ..reference_isac import _clusters


def rows(seed: int, many: int = 40, clusters: int = 4) -> torch.Tensor:
    """Rows around `clusters` loose centres."""
    generator = torch.Generator().manual_seed(seed)
    centres = torch.randn(clusters, 5, generator=generator, dtype=torch.float64) * 2
    return centres[torch.arange(many) % clusters] + torch.randn(many, 5, generator=generator, dtype=torch.float64)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), clusters=st.integers(1, 6))
def test_equals_scikit_learn(seed: int, clusters: int) -> None:
    features = rows(seed)
    found = kmeans(features, clusters, rounds=100)
    theirs = KMeans(
        clusters, init=farthest_points(features, clusters).numpy(), n_init=1, max_iter=100, tol=0, algorithm="lloyd"
    ).fit(features.numpy())
    assert np.array_equal(found.argmax(1).numpy(), theirs.labels_)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999), clusters=st.integers(1, 6), many=st.integers(6, 30))
def test_equals_plain_loops(seed: int, clusters: int, many: int) -> None:
    features = rows(seed, many)
    assert torch.equal(kmeans(features, clusters).argmax(1), _clusters(features, clusters))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 9999), clusters=st.integers(1, 6))
def test_one_hot_and_deterministic(seed: int, clusters: int) -> None:
    features = rows(seed).float()
    found = kmeans(features, clusters)
    assert found.shape == (40, clusters) and found.dtype == torch.float32
    assert torch.equal(found.sum(1), torch.ones(40))
    assert set(found.unique().tolist()) <= {0.0, 1.0}
    assert torch.equal(found, kmeans(features.clone(), clusters))


def test_no_random_numbers() -> None:
    torch.manual_seed(5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    kmeans(rows(1), 4)
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


def test_separate_groups_are_found() -> None:
    features = torch.cat([torch.zeros(5, 2), torch.full((3, 2), 10.0), torch.tensor([[-10.0, 10.0]] * 4)])
    owner = kmeans(features, 3).argmax(1)
    assert [owner[:5].unique().numel(), owner[5:8].unique().numel(), owner[8:].unique().numel()] == [1, 1, 1]
    assert owner.unique().numel() == 3


def test_equal_rows_leave_clusters_empty() -> None:
    found = kmeans(torch.ones(4, 2), 3)
    assert torch.isfinite(found).all()
    assert torch.equal(found.sum(1), torch.ones(4))
    assert sorted(found.sum(0).tolist()) == [0.0, 0.0, 4.0]


def test_a_cluster_may_lose_its_rows() -> None:
    """An emptied cluster keeps its centre instead of turning into NaN."""
    features = torch.tensor([[0.0], [0.0], [1.0]])
    found = kmeans(features, 3)
    assert torch.isfinite(found).all() and torch.equal(found.sum(1), torch.ones(3))


@given(many=st.integers(1, 4), clusters=st.integers(-1, 9))
def test_too_few_rows(many: int, clusters: int) -> None:
    assume(not 1 <= clusters <= many)
    with pytest.raises(CountError, match=f"{many} pixels cannot form {clusters} clusters"):
        kmeans(torch.rand(many, 2), clusters)


def test_no_gradient() -> None:
    assert not kmeans(torch.rand(6, 2, requires_grad=True), 2).requires_grad


@pytest.mark.parametrize("method", ["kmeans", "spectral", "gmm"])
def test_every_method_finds_separate_groups_and_repeats_itself(method) -> None:
    generator = torch.Generator().manual_seed(0)
    group = torch.arange(60) % 3
    features = torch.eye(3)[group] + 0.05 * torch.randn(60, 3, generator=generator)
    torch.manual_seed(5)
    state, numpy_state = torch.get_rng_state(), np.random.get_state()[1].copy()
    found = cluster(features, 3, method)
    assert found.shape == (60, 3) and found.dtype == features.dtype and torch.equal(found.sum(1), torch.ones(60))
    assert [found[group == index].any(0).sum() for index in range(3)] == [1, 1, 1] and bool(found.any(0).all())
    assert torch.equal(found, cluster(features.clone(), 3, method))
    assert torch.equal(torch.get_rng_state(), state)
    assert np.array_equal(np.random.get_state()[1], numpy_state)


@pytest.mark.parametrize("method", ["kmeans", "spectral", "gmm"])
def test_every_method_at_its_limits(method) -> None:
    features = rows(3, 5)
    assert torch.equal(cluster(features, 1, method), torch.ones(5, 1, dtype=torch.float64))
    assert torch.equal(cluster(features, 5, method).sum(0), torch.ones(5, dtype=torch.float64))
    with pytest.raises(CountError, match="5 pixels cannot form 6 clusters"):
        cluster(features, 6, method)


def test_unknown_method() -> None:
    with pytest.raises(CountError, match="clustering is 'median'; it can be kmeans, spectral, gmm"):
        cluster(rows(1), 2, "median")


def test_rounds_end_when_nothing_changes() -> None:
    features = rows(2, 200)
    assert torch.equal(kmeans(features, 4, rounds=100), kmeans(features, 4, rounds=10_000_000))
