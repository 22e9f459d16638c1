"""The gradient through ComfyUI's model: right, repeatable, and without a trace on the model."""

from __future__ import annotations

from typing import Any

import comfy.samplers
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from headcount.bridge.attention_gradient import attention_gradient
from headcount.bridge.normal_weights import normal_view, normal_weights
from headcount.core.attention.aggregate import aggregate
from headcount.core.attention.calls import AttentionCall
from headcount.core.isac.objective import StepLosses, Target, paper_losses
from headcount.core.isac.schedule import LossWeights
from torch import nn

from ..helpers.models import Setup, shapes_setup, tiny_setup, weights_of

TARGET = Target(((2,), (5,)), (2, 1))


def objective(calls: list[AttentionCall]) -> StepLosses:
    return paper_losses(aggregate(calls), TARGET, LossWeights(0.5, 0.5))


def smooth(calls: list[AttentionCall]) -> StepLosses:
    """Without a maximum, so that finite differences are safe."""
    maps = aggregate(calls)
    total = (maps.self_attention**2).sum((1, 2)) + (maps.cross_attention[..., 2] ** 2).sum(1)
    return StepLosses(total, total, total)


def processed(setup: Setup, x: torch.Tensor) -> dict[str, Any]:
    """The positive conditioning as a sampler's model call gets it."""
    inner = setup.model.model
    conds = comfy.samplers.process_conds(
        inner,
        x,
        {"positive": comfy.sampler_helpers.convert_cond(setup.positive)},
        torch.device("cpu"),
        torch.zeros_like(x),
    )
    return conds["positive"][0]


def gradient_of(setup: Setup, x: torch.Tensor, level: float = 2.0, of=objective, options: Any = None) -> Any:
    inner = setup.model.model
    inner.current_patcher = setup.model
    sigma = torch.full((len(x),), level)
    return attention_gradient(inner, processed(setup, x), x, sigma, options or setup.model.model_options, of)


def latent(batch: int = 1, channels: int = 4, size: int = 8) -> torch.Tensor:
    return torch.randn(batch, channels, size, size, generator=torch.Generator().manual_seed(4)) * 2


@pytest.mark.parametrize("flow", [False, True])
def test_equals_a_model_loaded_outside_of_inference_mode(flow: bool) -> None:
    normal = gradient_of(tiny_setup(flow, inference=False), latent(2), 0.7)
    with torch.inference_mode():
        loaded = gradient_of(tiny_setup(flow), latent(2), 0.7)
    assert torch.equal(loaded.gradient, normal.gradient)
    assert torch.equal(loaded.maps.self_attention, normal.maps.self_attention)
    assert torch.equal(loaded.losses.total, normal.losses.total)
    assert loaded.gradient.abs().max() > 0


def test_is_the_finite_difference() -> None:
    setup, x = tiny_setup(), latent()
    found = gradient_of(setup, x, of=smooth)
    direction = found.gradient / found.gradient.norm()
    ends = [float(gradient_of(setup, x + sign * 0.02 * direction, of=smooth).losses.total) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / 0.04 == pytest.approx(float(found.gradient.norm()), rel=2e-2)


def test_shapes_model() -> None:
    with torch.inference_mode():
        found = gradient_of(shapes_setup(), latent(1, 8, 16), 0.7)
    assert found.gradient.shape == (1, 8, 16, 16) and found.gradient.abs().max() > 0
    assert found.maps.grid == (16, 16)


def test_pictures_do_not_influence_each_other() -> None:
    setup, x = tiny_setup(), latent(2)
    together = gradient_of(setup, x).gradient
    for item in range(2):
        torch.testing.assert_close(together[[item]], gradient_of(setup, x[[item]]).gradient, rtol=1e-3, atol=1e-6)


def test_leaves_nothing_behind() -> None:
    setup, x = tiny_setup(), latent()
    before, kept, options = weights_of(setup.model), x.clone(), repr(setup.model.model_options)
    found = gradient_of(setup, x)
    assert torch.equal(x, kept) and not x.requires_grad
    assert weights_of(setup.model) == before
    assert repr(setup.model.model_options) == options
    for value in (found.gradient, found.maps.self_attention, found.maps.cross_attention, *vars(found.losses).values()):
        assert not value.requires_grad, "nothing keeps the graph alive"


def test_attention_without_backward_is_replaced() -> None:
    """Flash and sage kernels have no backward: another node's override is set aside for the gradient alone."""

    def no_backward(function, *args: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN001
        with torch.no_grad():
            return attention_pytorch(*args, **kwargs)

    setup = tiny_setup()
    options = {"transformer_options": {"optimized_attention_override": no_backward}}
    expected = gradient_of(setup, latent())
    assert torch.equal(gradient_of(setup, latent(), options=options).gradient, expected.gradient)
    assert options["transformer_options"]["optimized_attention_override"] is no_backward


def test_a_conditioning_that_is_not_active() -> None:
    setup, x = tiny_setup(), latent()
    conditioning = {**processed(setup, x), "timestep_start": 1.0}
    setup.model.model.current_patcher = setup.model
    sigma = torch.full((1,), 2.0)
    assert attention_gradient(setup.model.model, conditioning, x, sigma, {}, objective) is None


def test_constant_losses_have_no_gradient() -> None:
    def constant(calls: list[AttentionCall]) -> StepLosses:
        zero = torch.zeros(len(calls[0].queries))
        return StepLosses(zero, zero, zero)

    assert not gradient_of(tiny_setup(), latent(), of=constant).gradient.any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int8])
def test_normal_view_shares_the_storage(dtype: torch.dtype) -> None:
    with torch.inference_mode():
        whole = torch.arange(24, dtype=torch.float32).view(4, 6).to(dtype)
        part = whole[1:, ::2]
    view = normal_view(part)
    assert not view.is_inference() and view.data_ptr() == part.data_ptr()
    assert (view.shape, view.stride(), view.dtype) == (part.shape, part.stride(), dtype)
    assert torch.equal(view.float(), part.float())


def small_model() -> nn.Module:
    with torch.inference_mode():
        model = nn.Sequential(nn.Linear(3, 3), nn.BatchNorm1d(3).eval(), nn.Linear(3, 1))
        model[2].weight = nn.Parameter(torch.ones(1, 3), requires_grad=False)
    return model


def test_normal_weights_let_a_gradient_through_and_come_back() -> None:
    model, x = small_model(), torch.randn(2, 3, requires_grad=True)
    before = {name: value for name, value in [*model.named_parameters(), *model.named_buffers()]}
    with torch.inference_mode():
        values = {name: value.clone() for name, value in before.items()}
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        model(x)
    with normal_weights(model):
        inside = [*model.parameters(), *model.buffers()]
        assert not any(value.is_inference() or value.requires_grad for value in inside)
        model(x).sum().backward()
    assert x.grad.abs().max() > 0
    after = {name: value for name, value in [*model.named_parameters(), *model.named_buffers()]}
    assert all(after[name] is value for name, value in before.items())
    assert all(torch.equal(after[name], value) for name, value in values.items())


def test_normal_weights_come_back_after_an_error() -> None:
    model = small_model()
    before = list(model.parameters())
    with pytest.raises(KeyError), normal_weights(model):
        raise KeyError
    assert all(one is other for one, other in zip(model.parameters(), before, strict=True))


def test_normal_and_quantised_weights_are_left_alone() -> None:
    class Quantised(torch.Tensor):
        pass

    model = nn.Linear(2, 2)
    with torch.inference_mode():
        model.register_buffer("packed", torch.zeros(2).as_subclass(Quantised))
    kept = {**model._parameters, **model._buffers}
    with normal_weights(model):
        assert all(value is kept[name] for name, value in {**model._parameters, **model._buffers}.items())
