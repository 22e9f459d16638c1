"""How far the latent moves."""

from __future__ import annotations

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.isac.step import latent_step
from hypothesis import given, settings
from hypothesis import strategies as st

SHAPE = (3, 4, 2, 2)


def pair(seed: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(SHAPE, generator=generator), torch.randn(SHAPE, generator=generator) * 5


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), size=st.floats(1e-4, 1), variance=st.floats(1, 300), scale=st.floats(1e-6, 1e6))
def test_relative_step_is_a_share_of_the_latent(seed, size, variance, scale) -> None:
    gradient, x = pair(seed)
    change = latent_step(gradient * scale, x, "relative", size, variance)
    torch.testing.assert_close(change.flatten(1).norm(dim=1), size * x.flatten(1).norm(dim=1))
    against = torch.cosine_similarity(change.flatten(1), -gradient.flatten(1))
    torch.testing.assert_close(against, torch.ones(3))


@settings(max_examples=30, deadline=None)
@given(seed=st.integers(0, 999), size=st.floats(0, 1), variance=st.floats(1, 300))
def test_paper_step_is_eta_times_the_gradient(seed, size, variance) -> None:
    gradient, x = pair(seed)
    torch.testing.assert_close(latent_step(gradient, x, "paper", size, variance), -size * variance * gradient)


@pytest.mark.parametrize("mode", ["relative", "paper"])
@pytest.mark.parametrize("bad", [0.0, float("nan"), float("inf"), -float("inf")])
def test_pictures_without_a_usable_gradient_stay(mode, bad) -> None:
    gradient, x = pair(0)
    good = latent_step(gradient, x, mode, 0.1, 2.0)
    spoiled = gradient.clone()
    if bad == 0:
        spoiled[1] = 0.0
    spoiled[1, 0, 0, 0] = bad
    change = latent_step(spoiled, x, mode, 0.1, 2.0)
    assert torch.equal(change[1], torch.zeros(SHAPE[1:]))
    assert torch.equal(change[[0, 2]], good[[0, 2]])


@pytest.mark.parametrize("mode", ["relative", "paper"])
def test_nothing_is_changed_in_place_and_size_0_is_no_step(mode) -> None:
    gradient, x = pair(1)
    kept = gradient.clone(), x.clone()
    assert not latent_step(gradient, x, mode, 0.0, 2.0).any()
    latent_step(gradient, x, mode, 0.5, 2.0)
    assert torch.equal(gradient, kept[0]) and torch.equal(x, kept[1])


def test_half_precision_does_not_overflow() -> None:
    gradient, x = torch.full((1, 4, 64, 64), 6e4).half(), torch.full((1, 4, 64, 64), 10.0).half()
    change = latent_step(gradient, x, "relative", 0.01, 1.0)
    assert torch.isfinite(change).all() and change.abs().max() > 0


def test_video_latents() -> None:
    gradient, x = torch.randn(2, 4, 3, 2, 2), torch.randn(2, 4, 3, 2, 2)
    assert latent_step(gradient, x, "relative", 0.1, 1.0).shape == x.shape


def test_urgency_shortens_relative_steps_only() -> None:
    gradient, x = pair(2)
    urgency = torch.tensor([0.0, 0.25, 7.0])
    whole = latent_step(gradient, x, "relative", 0.1, 1.0)
    found = latent_step(gradient, x, "relative", 0.1, 1.0, urgency)
    torch.testing.assert_close(found, whole * torch.tensor([0.0, 0.25, 1.0]).view(3, 1, 1, 1))
    assert torch.equal(
        latent_step(gradient, x, "paper", 0.1, 2.0, urgency), latent_step(gradient, x, "paper", 0.1, 2.0)
    )


def test_unknown_mode() -> None:
    gradient, x = pair(0)
    with pytest.raises(CountError, match="step mode is 'absolute'; it can be 'relative' or 'paper'"):
        latent_step(gradient, x, "absolute", 0.1, 1.0)
