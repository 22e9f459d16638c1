"""Components of attention, head scores, mean shift and focus against plain linear algebra and scikit-learn."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from headcount.core.numina.attention import principal_components
from headcount.core.numina.published.heads import score_heads
from headcount.core.numina.published.mean_shift import estimate_bandwidth, mean_shift
from headcount.core.numina.published.proposals import focus_mask
from headcount.core.numina.settings import PublishedSettings
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.cluster import DBSCAN, MeanShift
from sklearn.cluster import estimate_bandwidth as sklearn_bandwidth


def random(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def clear(rows: int, columns: int, seed: int = 0) -> torch.Tensor:
    """A matrix whose singular values fall by half each."""
    left, right = (
        torch.linalg.qr(random(seed + i, size, min(rows, columns)))[0] for i, size in enumerate((rows, columns))
    )
    return left * 0.5 ** torch.arange(min(rows, columns)) @ right.T


@pytest.mark.parametrize("shape", [(40, 40), (13, 40), (2, 30)])
def test_components_are_those_of_a_full_decomposition(shape: tuple[int, int]) -> None:
    matrix = clear(*shape)
    left, sizes, _ = torch.linalg.svd(matrix - matrix.mean(0), full_matrices=False)
    expected = (left * sizes)[:, :3]
    found = principal_components(matrix)
    assert found.shape == (shape[0], 3)
    for index in range(min(3, shape[0] - 1)):
        one, other = found[:, index], expected[:, index]
        torch.testing.assert_close(one, other * torch.sign(one @ other), atol=1e-6, rtol=1e-5)
        assert one[one.abs().argmax()] > 0


def test_components_of_many_heads_are_those_of_each() -> None:
    heads = torch.stack([clear(20, 20, 10 * seed) for seed in range(6)]).unflatten(0, (2, 3))
    together = principal_components(heads)
    for frame in range(2):
        for head in range(3):
            torch.testing.assert_close(together[frame, head], principal_components(heads[frame, head]))


def test_components_hang_on_no_seed_and_move_none() -> None:
    matrix = torch.softmax(random(0, 64, 64), -1)
    torch.manual_seed(1)
    state = torch.get_rng_state()
    first = principal_components(matrix)
    assert torch.equal(state, torch.get_rng_state())
    torch.manual_seed(2)
    assert torch.equal(first, principal_components(matrix))


def test_constant_attention_has_no_components() -> None:
    assert principal_components(torch.full((2, 25, 25), 1 / 25)).abs().max() < 1e-6


@pytest.mark.parametrize("blocks", ["sums", "means"])
def test_head_score_of_a_worked_picture(blocks: str) -> None:
    """One component, bright in the left half of a 16 x 16 frame: each score by hand."""
    grid = (16, 16)
    picture = torch.zeros(grid)
    picture[:, :8] = 1
    components = torch.stack([picture.flatten(), torch.zeros(256), torch.zeros(256)], dim=1)
    grey = 0.299 * picture + (0.587 + 0.114) * 0.5
    half = 0.299 / 2
    contrast = half * (256 / 255) ** 0.5
    block = (half * (4 if blocks == "sums" else 1)) ** 2 * 64 / 63
    size = torch.zeros(grid)
    framed = torch.nn.functional.pad(grey, (1, 1, 1, 1))
    for y in range(16):
        for x in range(16):
            around = framed[y : y + 3, x : x + 3]
            across = (around[:, 2] - around[:, 0]) @ torch.tensor([1.0, 2, 1])
            down = (around[2] - around[0]) @ torch.tensor([1.0, 2, 1])
            size[y, x] = (across**2 + down**2).sqrt()
    expected = contrast + block + 0.1 * size.mean()
    found = score_heads(components, grid, PublishedSettings(blocks=blocks))  # type: ignore[arg-type]
    torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)


@settings(deadline=None, max_examples=12)
@given(st.integers(0, 10_000), st.integers(1, 5), st.integers(30, 250), st.sampled_from([0.1, 0.2, 0.4]))
def test_mean_shift_is_scikit_learns(seed: int, groups: int, number: int, quantile: float) -> None:
    rng = np.random.default_rng(seed)
    centres = rng.uniform(0, 1, (groups, 5))
    points = centres[rng.integers(groups, size=number)] + rng.normal(0, 0.07, (number, 5))
    bandwidth = sklearn_bandwidth(points, quantile=quantile, n_samples=1000, random_state=0)
    own = torch.from_numpy(points)
    assert estimate_bandwidth(own, quantile) == pytest.approx(bandwidth, rel=1e-9)
    expected = MeanShift(bandwidth=bandwidth, bin_seeding=True).fit(points).labels_
    labels, number_of = mean_shift(own, bandwidth)
    assert np.array_equal(labels.numpy(), expected)
    assert number_of > expected.max()


def test_bandwidth_of_many_points_is_scikit_learns() -> None:
    points = random(3, 1560, 5)
    expected = sklearn_bandwidth(points.numpy(), quantile=0.2, n_samples=1000, random_state=0)
    assert estimate_bandwidth(points, 0.2) == pytest.approx(expected, rel=1e-9)


@settings(deadline=None, max_examples=20)
@given(st.integers(0, 10_000), st.floats(0.02, 0.5))
def test_focus_is_dbscan_without_its_noise(seed: int, share: float) -> None:
    rng = np.random.default_rng(seed)
    response = np.where(rng.random((17, 23)) < share, rng.uniform(0.1, 1, (17, 23)), 0.001)
    strong = np.argwhere(response >= 0.05 * response.max())
    kept = strong[DBSCAN(eps=3.0, min_samples=5).fit(strong).labels_ >= 0]
    expected = np.zeros(response.shape, bool)
    expected[kept[:, 0], kept[:, 1]] = True
    maps = torch.from_numpy(np.stack([response, response.T.reshape(17, 23)]))
    assert np.array_equal(focus_mask(maps, PublishedSettings())[0].numpy(), expected)
