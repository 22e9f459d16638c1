"""Runs as the nodes make them against Algorithms 1 and 2 of the paper written by hand around the bare model."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from headcount.bridge.seed_search import attention_scorer
from headcount.core.attention.calls import AttentionCall
from headcount.core.attention.mean_maps import aggregate
from headcount.core.isac.objective import paper_losses
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.target import PromptTarget
from headcount.core.prompts import CountedObject, Counts, ObjectTokens
from headcount.nodes.isac_attention_control import IsacAttentionControl
from headcount.nodes.isac_latent_selection import IsacLatentSelection
from torch import Tensor

from ..helpers.gligen import with_boxes
from ..helpers.models import TINY_TOKENS, Run, Setup, sample, tiny_setup
from ..reference_isac import reference_losses, reference_maps

Total = Callable[[list[Any], list[Any], tuple[int, int], float], Tensor]
TOKENS, COUNTS = ((2,), (5,)), (2, 1)
ATTRIBUTES = (((1,),), ((4,),))
RED = Counts(
    "two red cats and a blue dog",
    (CountedObject("cats", 2, ("red",)), CountedObject("dog", 1, ("blue",))),
    {"l": (ObjectTokens((2,), ((1,),)), ObjectTokens((5,), ((4,),)))},
    {"l": TINY_TOKENS},
)
"""What Count Prompt says of a prompt whose nouns have attributes."""


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


def reference_totals(
    own: list[Any], cross: list[Any], grid: tuple[int, int], share: float, attributes: Any = ()
) -> Tensor:
    """(B,) eq. 5 through full matrices in float64, one picture after the other."""
    totals = []
    for item in range(len(own[0][1])):
        layers = [[(size, q[item].double(), k[item].double()) for size, q, k in part] for part in (own, cross)]
        maps = reference_maps(*layers, grid)
        totals.append(reference_losses(*maps, grid, TOKENS, COUNTS, share, 1 - share, attributes).total)
    return torch.stack(totals)


def reference_total(*call: Any) -> Tensor:
    """Of all pictures together."""
    return reference_totals(*call).sum()


def own_total(own: list[Any], cross: list[Any], grid: tuple[int, int], share: float) -> Tensor:
    """Eq. 5 in float32, differentiated through the full graph; the pack takes the rows that it touches."""
    calls = [AttentionCall("", "self", *layer) for layer in own]
    calls += [AttentionCall("", "cross", *layer) for layer in cross]
    return paper_losses(aggregate(calls, grid), PromptTarget(TOKENS, COUNTS), LossWeights(share, 1 - share)).total.sum()


def layout_patches(setup: Setup, x: Tensor) -> dict[str, Any]:
    """Transformer options with what GLIGEN, where the prompt has one, puts behind each self-attention."""
    if (gligen := setup.positive[0][1].get("gligen")) is None:
        return {}
    return {"patches": {"middle_patch": [gligen[1].model.set_position(x.shape, gligen[2], x.device)]}}


def gradient_by_hand(setup: Setup, x: Tensor, sigma: Tensor, share: float, total: Total) -> Tensor:
    """Gradient at `x` of what the conditioned model looks at."""
    latent, seen = x.clone().requires_grad_(), QueriesAndKeys()
    context = setup.positive[0][0].expand(len(x), -1, -1)
    options = {"optimized_attention_override": seen, **layout_patches(setup, x)}
    with torch.enable_grad():
        setup.model.model.apply_model(latent, sigma, c_crossattn=context, transformer_options=options)
        loss = total(seen.own, seen.cross, (x.shape[-2], x.shape[-1]), share)
        return torch.autograd.grad(loss, latent)[0]


def denoised_by_hand(
    setup: Setup, run: Run, noise: Tensor, before_step: Callable[[Tensor, Tensor, int], Tensor]
) -> Tensor:
    """T Euler steps of the guided model from `noise`, each from what `before_step(x, sigma, step)` gives."""
    inner, batch = setup.model.model, len(noise)
    sampling = inner.model_sampling
    sigmas = comfy.samplers.calculate_sigmas(sampling, run.scheduler, run.steps)
    x = sampling.noise_scaling(sigmas[0], noise, torch.zeros_like(noise), True)
    for step in range(run.steps):
        sigma = sigmas[step].expand(batch)
        x = before_step(x, sigma, step)
        with torch.no_grad():
            texts = torch.cat([side[0][0].expand(batch, -1, -1) for side in (setup.negative, setup.positive)])
            both = torch.cat([x, x])
            options = {"transformer_options": layout_patches(setup, both)}
            answers = inner.apply_model(both, torch.cat([sigma, sigma]), c_crossattn=texts, **options)
            unwanted, wanted = answers.chunk(2)  # in one batch, as ComfyUI asks: rounding depends on it
            denoised = unwanted + (wanted - unwanted) * run.cfg
            x = x + (x - denoised) / sigmas[step] * (sigmas[step + 1] - sigmas[step])
    return inner.process_latent_out(sampling.inverse_noise_scaling(sigmas[-1], x))


def noise_of(setup: Setup, run: Run, candidates: list[int] | None = None) -> Tensor:
    """What KSampler begins with; of the candidates with these batch indices, where some are given."""
    latent = torch.zeros(run.batch, setup.channels, *run.size)
    return comfy.sample.prepare_noise(latent, run.seed, candidates)


def algorithm_1(setup: Setup, run: Run, flow: bool, eta: float, total: Total) -> Tensor:
    """For t = T..1: take one gradient step, then one step of the guided model."""

    def stepped(x: Tensor, sigma: Tensor, step: int) -> Tensor:
        variance = 1.0 if flow else 1 + float(sigma[0]) ** 2
        share = 1 - step / run.steps
        return x - eta * variance * gradient_by_hand(setup, x, sigma, share, total)

    return denoised_by_hand(setup, run, noise_of(setup, run), stepped)


@torch.no_grad()
def algorithm_2(setup: Setup, run: Run, candidates: int) -> tuple[list[float], Tensor]:
    """The sum of each candidate's losses over t = T..1, and X_0 of the one with the lowest."""
    sums, ends = [], []
    for index in range(candidates):
        totals: list[float] = []

        def scored(x: Tensor, sigma: Tensor, step: int, into: list[float] = totals) -> Tensor:
            seen = QueriesAndKeys()
            options = {"optimized_attention_override": seen}
            setup.model.model.apply_model(x, sigma, c_crossattn=setup.positive[0][0], transformer_options=options)
            share = 1 - step / run.steps
            into.append(float(reference_totals(seen.own, seen.cross, run.size, share, ATTRIBUTES)))
            return x

        ends.append(denoised_by_hand(setup, run, noise_of(setup, run, [index]), scored))
        sums.append(sum(totals))
    return sums, ends[sums.index(min(sums))]


@pytest.mark.parametrize("batch", [1, 2])
@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
@pytest.mark.parametrize(
    ("total", "rounding"), [(own_total, 3e-6), (reference_total, 1e-5)], ids=["float32", "reference"]
)
def test_equals_algorithm_1(flow: bool, batch: int, total: Total, rounding: float) -> None:
    """The node with preset *paper*, whatever else it shows."""
    setup = tiny_setup(flow, inference=False)
    run = Run(steps=3, batch=batch, size=(8, 8), cfg=2.0, scheduler="simple")
    expected = algorithm_1(setup, run, flow, 0.01, total)
    shown = {"step_mode": "relative", "step_size": 0.5, "objective": "anchored", "spacing": 0.3, "mode": "fast"}
    for inference in (False, True):
        loaded = tiny_setup(flow, inference=inference)
        steer = partial(IsacAttentionControl.execute, loaded.model, 1.0, 0.0, 1.0, **shown)
        model, _ = steer(bind=False, clustering="gmm", preset="paper").args
        found = sample(model, loaded, run, inference=inference)
        difference = float((found - expected).abs().max() / expected.abs().max())
        assert difference < rounding
    plain = sample(setup.model, setup, run, inference=False)
    assert float((plain - expected).abs().max() / expected.abs().max()) > 1e-3, "the step is not lost in rounding"


def test_equals_algorithm_1_with_gligen() -> None:
    """Version 4's layout to image: GLIGEN's boxes are in what is read, in the gradient and in the steps."""
    setup = with_boxes(tiny_setup(inference=False), inference=False)
    run = Run(steps=3, size=(8, 8), cfg=2.0, scheduler="simple")
    expected = algorithm_1(setup, run, False, 0.01, own_total)
    loaded = with_boxes(tiny_setup())
    model, maps = IsacAttentionControl.execute(
        loaded.model, 1.0, 0.0, 1.0, step_mode="paper", step_size=0.5, objective="anchored", spacing=0.3, preset="paper"
    ).args
    found = sample(model, loaded, run)
    assert float((found - expected).abs().max() / expected.abs().max()) < 1e-5
    assert len(maps.record_for(found)[0].steps) == run.steps
    for other in (
        sample(loaded.model, loaded, run),
        algorithm_1(tiny_setup(inference=False), run, False, 0.01, own_total),
    ):
        assert float((other - expected).abs().max() / expected.abs().max()) > 1e-3


@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
def test_equals_algorithm_2(flow: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    """All layers, attributes, all steps, and the winner's own X_0; `decide_at` changes nothing."""
    monkeypatch.setattr(attention_scorer, "MAX_SELF_PIXELS", 4 * 4)  # what the other scores leave out
    candidates, run = 4, Run(steps=3, size=(8, 8), cfg=2.0, scheduler="simple")
    sums, expected = algorithm_2(tiny_setup(flow, inference=False, counts=RED), run, candidates)
    setup = tiny_setup(flow, counts=RED)
    latent = {"samples": torch.zeros(1, 4, *run.size), "downscale_ratio_spacial": 8}
    with torch.inference_mode():
        found, seed, table = IsacLatentSelection.execute(
            setup.model, setup.positive, setup.negative, latent, run.seed, run.steps, run.cfg, run.sampler,
            run.scheduler, 1.0, candidates, 0.3, "algorithm 2",
        ).args  # fmt: skip
    assert set(found) == {"samples"} and seed == run.seed
    assert float((found["samples"] - expected).abs().max() / expected.abs().max()) < 1e-5
    order = sorted(range(candidates), key=sums.__getitem__)
    lines = [line.split() for line in table.splitlines()[1:]]
    assert [line[:2] + line[4:] for line in lines] == [["index", f"{index}:", "after", "3", "steps"] for index in order]
    assert [float(line[3]) for line in lines] == pytest.approx([sums[index] for index in order], rel=1e-5)
