"""A steered run against Algorithm 1 of the paper written by hand around the bare model."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.core.attention.calls import AttentionCall
from headcount.core.attention.mean_maps import aggregate
from headcount.core.isac.objective import paper_losses
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.target import PromptTarget
from torch import Tensor

from ..helpers.models import Run, Setup, sample, tiny_setup
from ..reference_isac import reference_losses, reference_maps

Total = Callable[[list[Any], list[Any], tuple[int, int], float], Tensor]
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
        return attention_pytorch(q, k, v, heads, **kwargs)  # rounds as it does in the pack


def reference_total(own: list[Any], cross: list[Any], grid: tuple[int, int], share: float) -> Tensor:
    """Eq. 5 through full matrices in float64, one picture after the other."""
    totals = []
    for item in range(len(own[0][1])):
        layers = [[(size, q[item].double(), k[item].double()) for size, q, k in part] for part in (own, cross)]
        maps = reference_maps(*layers, grid)
        totals.append(reference_losses(*maps, grid, TOKENS, COUNTS, share, 1 - share).total)
    return torch.stack(totals).sum()


def own_total(own: list[Any], cross: list[Any], grid: tuple[int, int], share: float) -> Tensor:
    """Eq. 5 in float32, differentiated through the full graph; the pack takes the rows that it touches."""
    calls = [AttentionCall("", "self", *layer) for layer in own]
    calls += [AttentionCall("", "cross", *layer) for layer in cross]
    return paper_losses(aggregate(calls, grid), PromptTarget(TOKENS, COUNTS), LossWeights(share, 1 - share)).total.sum()


def gradient_by_hand(inner: Any, context: Tensor, x: Tensor, sigma: Tensor, share: float, total: Total) -> Tensor:
    """Gradient at `x` of what the conditioned model looks at."""
    latent, seen = x.clone().requires_grad_(), QueriesAndKeys()
    context = context.expand(len(x), -1, -1)
    options = {"optimized_attention_override": seen}
    with torch.enable_grad():
        inner.apply_model(latent, sigma, c_crossattn=context, transformer_options=options)
        loss = total(seen.own, seen.cross, (x.shape[-2], x.shape[-1]), share)
        return torch.autograd.grad(loss, latent)[0]


def algorithm_1(setup: Setup, run: Run, flow: bool, eta: float, total: Total) -> Tensor:
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
        x = x - eta * variance * gradient_by_hand(inner, setup.positive[0][0], x, sigma, share, total)
        with torch.no_grad():
            texts = torch.cat([side[0][0].expand(run.batch, -1, -1) for side in (setup.negative, setup.positive)])
            answers = inner.apply_model(torch.cat([x, x]), torch.cat([sigma, sigma]), c_crossattn=texts)
            unwanted, wanted = answers.chunk(2)  # in one batch, as ComfyUI asks: rounding depends on it
            denoised = unwanted + (wanted - unwanted) * run.cfg
            x = x + (x - denoised) / sigmas[step] * (sigmas[step + 1] - sigmas[step])
    return inner.process_latent_out(sampling.inverse_noise_scaling(sigmas[-1], x))


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
@pytest.mark.parametrize(
    ("total", "rounding"), [(own_total, 3e-6), (reference_total, 1e-5)], ids=["float32", "reference"]
)
def test_equals_algorithm_1(flow: bool, batch: int, total: Total, rounding: float) -> None:
    setup = tiny_setup(flow, inference=False)
    eta = 0.01
    run = Run(steps=3, batch=batch, size=(8, 8), cfg=2.0, scheduler="simple")
    expected = algorithm_1(setup, run, flow, eta, total)
    for inference in (False, True):
        loaded = tiny_setup(flow, inference=inference)
        model, _ = with_isac(loaded.model, IsacSettings("paper", "paper", eta, end_percent=1.0))
        found = sample(model, loaded, run, inference=inference)
        difference = float((found - expected).abs().max() / expected.abs().max())
        assert difference < rounding
    plain = sample(setup.model, setup, run, inference=False)
    assert float((plain - expected).abs().max() / expected.abs().max()) > 1e-3, "the step is not lost in rounding"
