"""T2ICount's losses against plain loops, their gradients against finite differences, and what they ask of a network."""

from __future__ import annotations

import math

import pytest
import torch
from headcount.core.t2icount.config import OFFICIAL
from headcount.core.t2icount.losses import (
    Evidence,
    LossSettings,
    counting_loss,
    gather_evidence,
    regression_loss,
    similarity_loss,
)
from headcount.core.t2icount.network import CountMaps
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

DEFAULTS, SCALE = LossSettings(), 60.0


def random_maps(seed: int, batch: int = 2, side: int = 8) -> tuple[Tensor, Tensor]:
    """A predicted and a true density, about half of whose cells hold something, in float64."""
    generator = torch.Generator().manual_seed(seed)
    density, truth = torch.rand(2, batch, 1, side, side, generator=generator, dtype=torch.float64).add(0.1)
    return density, truth * (torch.rand(truth.shape, generator=generator) < 0.5)


def looped_ssim(a: list[list[float]], b: list[list[float]]) -> float:
    """Mean of the SSIM map, cell by cell."""
    side, raw = len(a), [math.exp(-(d**2) / (2 * 1.5**2)) for d in (-1, 0, 1)]
    weights = [w / sum(raw) for w in raw]
    total = 0.0
    for y in range(side):
        for x in range(side):
            sums = dict.fromkeys(("a", "b", "aa", "bb", "ab"), 0.0)
            for dy in (-1, 0, 1):
                for dx in (-1, 0, 1):
                    if 0 <= y + dy < side and 0 <= x + dx < side:
                        w, p, q = weights[dy + 1] * weights[dx + 1], a[y + dy][x + dx], b[y + dy][x + dx]
                        for name, value in (("a", p), ("b", q), ("aa", p * p), ("bb", q * q), ("ab", p * q)):
                            sums[name] += w * value
            va, vb = sums["aa"] - sums["a"] ** 2, sums["bb"] - sums["b"] ** 2
            cab = sums["ab"] - sums["a"] * sums["b"]
            brightness = (2 * sums["a"] * sums["b"] + 1e-4) / (sums["a"] ** 2 + sums["b"] ** 2 + 1e-4)
            total += brightness * (2 * cab + 9e-4) / (va + vb + 9e-4)
    return total / side**2


def halved(a: list[list[float]]) -> list[list[float]]:
    steps = range(0, len(a), 2)
    return [[(a[y][x] + a[y][x + 1] + a[y + 1][x] + a[y + 1][x + 1]) / 4 for x in steps] for y in steps]


def looped_regression(density: Tensor, truth: Tensor) -> float:
    total = 0.0
    for one, other in zip(density[:, 0].tolist(), truth[:, 0].tolist(), strict=True):
        sums = [sum(map(sum, rows)) + 1e-6 for rows in (one, other)]
        cells = [(p, q) for first, second in zip(one, other, strict=True) for p, q in zip(first, second, strict=True)]
        total += 0.1 * sum(abs(p / sums[0] - q / sums[1]) for p, q in cells)
        a = [[p if q > 0.06 else 0.0 for p, q in zip(*rows, strict=True)] for rows in zip(one, other, strict=True)]
        b = [[q if q > 0.06 else 0.0 for q in row] for row in other]
        for _ in range(3):
            total += (1 - looped_ssim(a, b)) / 3
            a, b = halved(a), halved(b)
    return total / len(density)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 9999))
def test_regression_is_the_plain_loop(seed: int) -> None:
    density, truth = random_maps(seed)
    assert float(regression_loss(density, truth, DEFAULTS, SCALE)) == pytest.approx(looped_regression(density, truth))


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 9999))
def test_similarity_is_the_plain_loop(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    similarity = torch.rand(3, 1, 5, 5, generator=generator, dtype=torch.float64) * 2 - 1
    kinds = torch.randint(3, similarity.shape, generator=generator)
    kinds[0] = 1  # a picture without objects
    total = 0.0
    for values, sorts in zip(similarity.flatten(1).tolist(), kinds.flatten(1).tolist(), strict=True):
        positive = [1 - value for value, sort in zip(values, sorts, strict=True) if sort == 0]
        negative = [max(value, 0.0) for value, sort in zip(values, sorts, strict=True) if sort == 1]
        total += 2 * sum(positive) / (len(positive) + 1e-7) + sum(negative) / (len(negative) + 1e-7)
    found = similarity_loss(similarity, Evidence(kinds == 0, kinds == 1))
    assert float(found) == pytest.approx(total / 3)


@pytest.mark.parametrize("seed", range(3))
def test_gradients_are_the_finite_differences(seed: int) -> None:
    density, truth = random_maps(seed, side=8)
    density.requires_grad_()
    assert torch.autograd.gradcheck(lambda d: regression_loss(d, truth, DEFAULTS, SCALE), density, atol=1e-6)
    similarity = (density.detach() - 0.55).sign() * (density.detach() / 2)  # nowhere near the kink at 0
    evidence = Evidence(truth > 0.5, truth <= 0.2)
    assert torch.autograd.gradcheck(lambda s: similarity_loss(s, evidence), similarity.requires_grad_(), atol=1e-6)


@pytest.mark.parametrize(
    ("density", "region", "attention", "kind"),
    [
        (0.06, 1.0, 0.0, "positive"),  # at the threshold
        (0.06, 0.0, 0.9, "positive"),
        (0.059, 1.0, 0.29, "negative"),
        (0.059, 1.0, 0.3, "ambiguous"),
        (0.0, 0.0, 0.9, "negative"),  # the noun is known to be absent, whatever the attention says
    ],
)
def test_evidence_of_a_cell(density: float, region: float, attention: float, kind: str) -> None:
    cells = (torch.full((1, 1, 1, 1), value) for value in (density, region, attention))
    found = gather_evidence(*cells, DEFAULTS, SCALE)
    assert (bool(found.positive), bool(found.negative)) == (kind == "positive", kind == "negative")


def test_a_picture_without_objects_is_learnt_from_similarity_only() -> None:
    density = torch.rand(1, 1, 48, 48).requires_grad_()
    regression_loss(density, torch.zeros(1, 1, 48, 48), DEFAULTS, SCALE).backward()
    assert density.grad is not None and density.grad.abs().max() < 1e-7
    similarity = torch.full((1, 1, 48, 48), 0.5, requires_grad=True)
    everywhere = torch.ones(1, 1, 48, 48, dtype=torch.bool)
    similarity_loss(similarity, Evidence(~everywhere, everywhere)).backward()
    assert similarity.grad is not None and (similarity.grad > 0).all()


def test_a_perfect_network_has_no_loss() -> None:
    truth = torch.zeros(1, 1, 48, 48)
    truth[..., 10:14, 20:24] = 2.0
    exact = torch.where(truth > 0, 1.0, 0.0)
    maps = CountMaps(truth, exact, exact, torch.zeros_like(truth))
    losses = counting_loss(maps, truth, torch.ones_like(truth), OFFICIAL, DEFAULTS)
    assert float(losses.total) == pytest.approx(0.0, abs=1e-5)


def test_the_total_weighs_its_parts_and_stays_float32() -> None:
    generator = torch.Generator().manual_seed(0)
    parts = [torch.rand(2, 1, 16, 16, generator=generator) for _ in range(4)]
    truth = torch.rand(2, 1, 16, 16, generator=generator)
    maps = CountMaps(*(part.bfloat16() for part in parts))
    losses = counting_loss(maps, truth, torch.ones_like(truth), OFFICIAL, LossSettings(similarity_weight=0.25))
    expected = losses.regression + 0.25 * (losses.coarse_similarity + losses.fine_similarity)
    assert losses.total.dtype == torch.float32
    assert torch.equal(losses.total, expected)


def test_says_that_attention_is_missing() -> None:
    plane = torch.zeros(1, 1, 8, 8)
    with pytest.raises(ValueError, match="with_attention=True"):
        counting_loss(CountMaps(plane, plane, plane, None), plane, plane, OFFICIAL, DEFAULTS)
