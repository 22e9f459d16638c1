"""ISAC steers a run with a ControlNet or GLIGEN: their weights are inference tensors too.

ComfyUI adds a ControlNet's output in place.
"""

from __future__ import annotations

from typing import Any

import comfy.controlnet
import comfy.sample
import pytest
import torch
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.demo_models.model import ShapesModel
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.prompts.token_positions import encode_count_prompt

import nodes as comfy_nodes

from ..helpers.controlnets import random_controlnet
from ..helpers.gligen import with_boxes
from ..helpers.gradients import Whole, gradient_pass, latent, processed
from ..helpers.models import Run, Setup, sample, tiny_setup


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
