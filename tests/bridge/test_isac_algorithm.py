"""A steered run against Algorithm 1 of the paper written by hand around the bare model."""

from __future__ import annotations

from typing import Any

import comfy.sample
import comfy.samplers
import pytest
import torch
from headcount.bridge.isac import IsacSettings, with_isac
from torch import Tensor

from ..helpers.models import Run, Setup, sample, tiny_setup
from ..reference_isac import reference_losses, reference_maps

TOKENS, COUNTS = ((2,), (5,)), (2, 1)


class QueriesAndKeys:
    """An attention override that keeps queries and keys: twelve calls, self- and cross-attention in turn."""

    def __init__(self) -> None:
        self.own: list[Any] = []
        self.cross: list[Any] = []

    def __call__(self, function, q: Tensor, k: Tensor, v: Tensor, heads: int, **kwargs: Any) -> Tensor:  # noqa: ANN001
        shape = kwargs["transformer_options"]["activations_shape"]
        split = [tokens.unflatten(-1, (heads, -1)).transpose(1, 2) for tokens in (q, k)]
        (self.own if len(self.own) == len(self.cross) else self.cross).append(((shape[2], shape[3]), *split))
        return function(q, k, v, heads, **kwargs)


def gradient_by_hand(inner: Any, context: Tensor, x: Tensor, sigma: Tensor, share: float) -> Tensor:
    """Gradient of eq. 5 at `x` through full matrices in float64, one picture after the other."""
    gradients = []
    for item in range(len(x)):
        latent = x[[item]].clone().requires_grad_()
        seen = QueriesAndKeys()
        options = {"optimized_attention_override": seen}
        with torch.enable_grad():
            inner.apply_model(latent, sigma[[item]], c_crossattn=context, transformer_options=options)
            layers = [[(grid, q[0].double(), k[0].double()) for grid, q, k in part] for part in (seen.own, seen.cross)]
            grid = tuple(x.shape[-2:])
            own, cross = reference_maps(*layers, grid)
            losses = reference_losses(own, cross, grid, TOKENS, COUNTS, share, 1 - share)
            (gradient,) = torch.autograd.grad(losses.total, latent)
        gradients.append(gradient)
    return torch.cat(gradients)


def algorithm_1(setup: Setup, run: Run, flow: bool, eta: float) -> Tensor:
    """For t = T..1: take one gradient step, then one Euler step of the guided model."""
    inner = setup.model.model
    sampling = inner.model_sampling
    sigmas = comfy.samplers.calculate_sigmas(sampling, run.scheduler, run.steps)
    latent = torch.zeros(run.batch, setup.channels, *run.size)
    noise = comfy.sample.prepare_noise(latent, run.seed)
    x = sampling.noise_scaling(sigmas[0], noise, latent, True)
    for step in range(run.steps):
        sigma = sigmas[step].expand(run.batch)
        share = 1 - step / run.steps
        variance = 1.0 if flow else 1 + float(sigmas[step]) ** 2
        x = x - eta * variance * gradient_by_hand(inner, setup.positive[0][0], x, sigma, share)
        with torch.no_grad():
            texts = [side[0][0].expand(run.batch, -1, -1) for side in (setup.positive, setup.negative)]
            wanted, unwanted = (inner.apply_model(x, sigma, c_crossattn=text) for text in texts)
            denoised = unwanted + (wanted - unwanted) * run.cfg
            x = x + (x - denoised) / sigmas[step] * (sigmas[step + 1] - sigmas[step])
    return inner.process_latent_out(sampling.inverse_noise_scaling(sigmas[-1], x))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
def test_equals_algorithm_1(flow: bool, batch: int) -> None:
    setup = tiny_setup(flow, inference=False)
    eta = 0.03
    run = Run(steps=3, batch=batch, size=(8, 8), cfg=2.0, scheduler="simple")
    expected = algorithm_1(setup, run, flow, eta)
    for inference in (False, True):
        loaded = tiny_setup(flow, inference=inference)
        model, _ = with_isac(loaded.model, IsacSettings("paper", "paper", eta, end_percent=1.0))
        found = sample(model, loaded, run, inference=inference)
        assert float((found - expected).abs().max() / expected.abs().max()) < 1e-6
    plain = sample(setup.model, setup, run, inference=False)
    assert float((plain - expected).abs().max() / expected.abs().max()) > 1e-3, "the step is not lost in rounding"
