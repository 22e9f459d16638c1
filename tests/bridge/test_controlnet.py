"""ISAC steers a run with a ControlNet or GLIGEN: their weights are inference tensors too.

ComfyUI adds a ControlNet's output in place.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.controlnet
import comfy.sample
import pytest
import torch
from comfy.gligen import GatedSelfAttentionDense, Gligen, PositionNet
from comfy.ldm.modules.attention import BasicTransformerBlock
from comfy.model_patcher import ModelPatcher
from headcount.bridge.isac import IsacSettings, with_isac
from headcount.bridge.shapes.files import load_shapes_model
from headcount.bridge.shapes.model import ShapesModel
from headcount.bridge.token_positions import encode_count_prompt

import nodes as comfy_nodes

from ..helpers.controlnets import random_controlnet
from ..helpers.gradients import Whole, gradient_pass, latent, processed
from ..helpers.models import CPU, TINY_WIDTH, Run, Setup, random_weights, sample, tiny_setup


@torch.inference_mode()
def test_steering_with_a_controlnet() -> None:
    shapes, control = load_shapes_model(), random_controlnet()
    assert next(control.control_model.parameters()).is_inference()
    positive, _ = encode_count_prompt(shapes.clip, "three circles")
    negative = shapes.clip.encode_from_tokens_scheduled(shapes.clip.tokenize(""))
    positive, negative = comfy_nodes.ControlNetApplyAdvanced().apply_controlnet(
        positive,
        negative,
        control,
        torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1)),
        1.0,
        0.0,
        1.0,
    )
    noise = torch.randn(1, 8, 16, 16, generator=torch.Generator().manual_seed(2))

    def sample(model):
        return comfy.sample.sample(
            model,
            noise,
            4,
            3.0,
            "euler",
            "simple",
            positive,
            negative,
            torch.zeros_like(noise),
            disable_pbar=True,
            seed=3,
        )

    steered, handle = with_isac(shapes.model, IsacSettings())
    samples = sample(steered)
    assert torch.isfinite(samples).all()
    assert not torch.equal(samples, sample(shapes.model))
    assert len(handle.record_for(samples)[0].steps) == 4
    assert all(parameter.is_inference() for parameter in control.control_model.parameters())


def positive_with(shapes: ShapesModel, control: comfy.controlnet.ControlNet) -> list[list[Any]]:
    positive, _ = encode_count_prompt(shapes.clip, "three circles")
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    return comfy_nodes.ControlNetApplyAdvanced().apply_controlnet(positive, positive, control, hint, 1.0, 0.0, 1.0)[0]


@torch.inference_mode()
def test_the_gradient_with_blocks_recomputed_is_the_same() -> None:
    """What ComfyUI overwrites is kept for backward, in blocks that are recomputed as well as outside of them."""
    shapes, control = load_shapes_model(), random_controlnet()
    found = []
    for memory, setup_control in (("fast", control), ("low", control), ("fast", None)):
        positive = (
            positive_with(shapes, control) if setup_control else encode_count_prompt(shapes.clip, "three circles")[0]
        )
        setup = Setup(shapes.model, positive, positive, 8)
        x = latent(setup, size=16)
        conditioning = processed(setup, x)
        if setup_control:
            conditioning["control"].pre_run(shapes.model.model, shapes.model.model.model_sampling.percent_to_sigma)
        one = gradient_pass(setup, x, memory, **conditioning)
        found.append(one(x, torch.full((1,), 0.7), {}, Whole()).gradient)
    torch.testing.assert_close(found[0], found[1], rtol=1e-4, atol=1e-6)
    assert not torch.allclose(found[0], found[2], rtol=0.01)
    assert all(parameter.is_inference() for parameter in control.control_model.parameters())
    assert not any("forward" in module.__dict__ for module in control.control_model.modules())


def random_gligen(setup: Setup, alpha: float = 0.5) -> ModelPatcher:
    """A small GLIGEN of ComfyUI's own classes, one part for each transformer block of the small U-Net."""
    blocks = [one for one in setup.model.model.diffusion_model.modules() if isinstance(one, BasicTransformerBlock)]
    with torch.inference_mode():
        parts = [
            GatedSelfAttentionDense(one.attn1.to_q.in_features, TINY_WIDTH, 2, one.attn1.to_q.in_features // 2)
            for one in blocks
        ]
        network = Gligen(parts, PositionNet(TINY_WIDTH, TINY_WIDTH), TINY_WIDTH)
        network.load_state_dict(random_weights(network))
        for part in parts:
            part.alpha_attn.fill_(alpha)
            part.alpha_dense.fill_(alpha)
    return ModelPatcher(network.eval(), CPU, CPU)


def with_boxes(setup: Setup, alpha: float = 0.5) -> Setup:
    """What GLIGEN Textbox Apply gives: a place for one of the prompt's things."""
    gligen = random_gligen(setup, alpha)
    thing = torch.randn(1, TINY_WIDTH, generator=torch.Generator().manual_seed(9))
    text, options = setup.positive[0]
    return replace(setup, positive=[[text, {**options, "gligen": ("position", gligen, [(thing, 4, 4, 2, 2)])}]])


@pytest.mark.parametrize("memory", ["fast", "low"])
def test_steering_with_gligen(memory: Any) -> None:
    """Its weights are inference tensors of a further model, which comes with the conditioning."""
    plain = tiny_setup()
    setup, run = with_boxes(plain), Run(size=(8, 8))
    model, handle = with_isac(setup.model, IsacSettings(memory=memory))
    samples = sample(model, setup, run)
    assert torch.isfinite(samples).all() and not torch.equal(samples, sample(setup.model, setup, run))
    assert not torch.equal(sample(setup.model, setup, run), sample(plain.model, plain, run)), "GLIGEN does something"
    assert len(handle.record_for(samples)[0].steps) == run.steps
    gligen = setup.positive[0][1]["gligen"][1].model
    assert all(parameter.is_inference() for parameter in gligen.parameters())


@torch.inference_mode()
def test_the_gradient_through_gligen() -> None:
    """It is that of finite differences."""
    setup = with_boxes(tiny_setup())
    x = latent(setup)
    one = gradient_pass(setup, x)
    sigma = torch.full((1,), 2.0)
    found = one(x, sigma, {}, Whole()).gradient
    way = torch.randn(x.shape, generator=torch.Generator().manual_seed(5))
    step = 1e-2
    ahead, behind = (float(one(x + side * step * way, sigma, {}, Whole()).losses.total) for side in (1, -1))
    torch.testing.assert_close(float((found * way).sum()), (ahead - behind) / (2 * step), rtol=0.03, atol=1e-5)
