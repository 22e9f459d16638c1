"""The gradient through ComfyUI's model: right, repeatable, and without a trace on the model."""

from __future__ import annotations

import logging
import weakref
from typing import Any

import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from headcount.bridge.gradients.autograd_weights import autograd_view, autograd_weights
from headcount.core.attention.calls import AttentionCall
from headcount.core.errors import CountError
from headcount.core.isac.differentiate import CallGradient, StepLosses
from headcount.core.isac.objective import PaperObjective
from headcount.core.isac.schedule import LossWeights
from headcount.core.isac.target import PromptTarget
from torch import nn

from ..helpers.gradients import ATTENTION_CALLS, Whole, gradient_of, gradient_pass, latent
from ..helpers.models import Setup, shapes_setup, tiny_setup, weights_of


@pytest.mark.parametrize("flow", [False, True])
def test_equals_a_model_loaded_outside_of_inference_mode(flow: bool) -> None:
    plain = tiny_setup(flow, inference=False)
    normal = gradient_of(plain, latent(plain, 2), 0.7)
    with torch.inference_mode():
        loaded = gradient_of(tiny_setup(flow), latent(plain, 2), 0.7)
    assert torch.equal(loaded.gradient, normal.gradient)
    assert torch.equal(loaded.losses.total, normal.losses.total)
    assert loaded.gradient.abs().max() > 0


def test_is_the_finite_difference() -> None:
    setup = tiny_setup()
    x = latent(setup)
    found = gradient_of(setup, x)
    direction = found.gradient / found.gradient.norm()
    ends = [float(gradient_of(setup, x + sign * 0.02 * direction).losses.total) for sign in (1, -1)]
    assert (ends[0] - ends[1]) / 0.04 == pytest.approx(float(found.gradient.norm()), rel=2e-2)


def test_shapes_model() -> None:
    setup = shapes_setup()
    with torch.inference_mode():
        found = gradient_of(setup, latent(setup, size=16), 0.7)
    assert found.gradient.shape == (1, 8, 16, 16) and found.gradient.abs().max() > 0


def test_pictures_do_not_influence_each_other() -> None:
    setup = tiny_setup()
    x = latent(setup, 2)
    together = gradient_of(setup, x).gradient
    for item in range(2):
        torch.testing.assert_close(together[[item]], gradient_of(setup, x[[item]]).gradient, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("memory", ["fast", "low"])
def test_leaves_nothing_behind(memory: str) -> None:
    setup = tiny_setup()
    x = latent(setup)
    before, kept, options = weights_of(setup.model), x.clone(), repr(setup.model.model_options)
    found = gradient_of(setup, x, memory=memory)
    assert torch.equal(x, kept) and not x.requires_grad
    assert weights_of(setup.model) == before
    assert repr(setup.model.model_options) == options
    assert not any("forward" in module.__dict__ for module in setup.model.model.modules())
    for value in (found.gradient, *(value for value in vars(found.losses).values() if value is not None)):
        assert not value.requires_grad, "nothing keeps the graph alive"


@pytest.mark.parametrize("memory", ["fast", "low"])
def test_the_model_runs_as_far_as_the_objective_reads(memory: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """How far is learnt before the first pass of the first run, without a graph; the gradient stays the same to the bit."""
    run: list[int] = []

    def counting(*args: Any, **kwargs: Any) -> torch.Tensor:
        run.append(1)
        return attention_pytorch(*args, **kwargs)

    monkeypatch.setattr("headcount.bridge.gradients.differentiable_call.attention_pytorch", counting)
    setup, objective, learnt = tiny_setup(), Whole(first=5), {}
    x, sigma = latent(setup), torch.full((1,), 2.0)
    one, of_a_later_run = (gradient_pass(setup, x, learnt=learnt) for _ in range(2))
    gradients = []
    for calls, taken in ((ATTENTION_CALLS + 4, one), (4, one), (4, of_a_later_run), (4, of_a_later_run)):
        run.clear()
        gradients.append(taken(x, sigma, {}, objective).gradient)
        assert len(run) == calls and len(objective.calls) == 5, "the fifth call is recorded, and not computed"
    assert all(torch.equal(gradient, gradients[0]) for gradient in gradients)


class Watched:
    """The paper's objective, and what is asked of it, in order; of gradients also how many older ones are still alive."""

    def __init__(self) -> None:
        self.own = PaperObjective(PromptTarget(((1,), (3,)), (2, 1)), LossWeights(0.5, 0.5))
        self.events: list[tuple[str, int]] = []
        self.older: list[int] = []
        self._given: list[weakref.ref[torch.Tensor]] = []

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return self.own.select(calls)

    def start(self) -> Watched:
        self.step = self.own.start()
        return self

    def accumulate(self, call: AttentionCall) -> None:
        self.events.append(("see", call.place))
        self.step.accumulate(call)

    def finish(self) -> StepLosses:
        return self.step.finish()

    def has_gradient(self, call: AttentionCall) -> bool:
        return self.step.has_gradient(call)

    def gradient(self, call: AttentionCall) -> CallGradient:
        self.events.append(("gradient", call.place))
        self.older.append(sum(older() is not None for older in self._given))
        gradient = self.step.gradient(call)
        self._given.append(weakref.ref(gradient.keys))
        return gradient


@pytest.mark.parametrize("memory", ["fast", "low"])
def test_calls_come_and_go_one_at_a_time(memory: str) -> None:
    """Each is seen once going forward and asked for its gradient once going backward, and no two are alive together."""
    setup, watched = tiny_setup(), Watched()
    found = gradient_of(setup, latent(setup), objective=watched, memory=memory)
    assert found.gradient.abs().max() > 0
    places = list(range(1, ATTENTION_CALLS + 1))
    assert watched.events == [("see", place) for place in places] + [("gradient", place) for place in places[::-1]]
    assert max(watched.older) == 0


def test_attention_without_backward_is_replaced() -> None:
    """Flash and sage kernels have no backward: another node's override is set aside for the gradient alone."""

    def no_backward(function, *args: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN001
        with torch.no_grad():
            return attention_pytorch(*args, **kwargs)

    setup = tiny_setup()
    options = {"transformer_options": {"optimized_attention_override": no_backward}}
    expected = gradient_of(setup, latent(setup))
    assert torch.equal(gradient_of(setup, latent(setup), options=options).gradient, expected.gradient)
    assert options["transformer_options"]["optimized_attention_override"] is no_backward


def test_a_conditioning_that_is_not_active(caplog: pytest.LogCaptureFixture) -> None:
    setup = tiny_setup()
    x = latent(setup)
    one = gradient_pass(setup, x, timestep_start=1.0)
    assert one(x, torch.full((1,), 2.0), {}, Whole()) is None
    assert not caplog.records


def test_constant_losses_have_no_gradient() -> None:
    def constant(calls: list[AttentionCall]) -> StepLosses:
        zero = torch.zeros(len(calls[0].queries))
        return StepLosses(zero, zero, zero)

    setup = tiny_setup()
    assert not gradient_of(setup, latent(setup), objective=Whole(constant)).gradient.any()


def patched(setup: Setup, key: str, patch: Any) -> dict[str, Any]:
    model = setup.model.clone()
    getattr(model, f"set_model_{key}_patch")(patch)
    return model.model_options


def test_a_patch_that_ends_the_graph_is_said_so() -> None:
    setup = tiny_setup()
    options = patched(setup, "input_block", lambda h, _: h.detach())
    before = weights_of(setup.model)
    with pytest.raises(CountError, match=r"Count Control cannot take gradients.*Noise Picker"):
        gradient_of(setup, latent(setup), options=options)
    assert weights_of(setup.model) == before


@pytest.mark.parametrize("memory", ["fast", "low"])
def test_a_patch_that_writes_in_place(memory: str) -> None:
    """Such as FreeU's kin: what backward needs is overwritten. The gradient is that of a patch that does not."""

    def in_place(h: torch.Tensor, _: Any) -> torch.Tensor:
        return torch.sigmoid(h).mul_(1.3)

    def plain(h: torch.Tensor, _: Any) -> torch.Tensor:
        return torch.sigmoid(h) * 1.3

    setup = tiny_setup()
    found = gradient_of(setup, latent(setup), options=patched(setup, "input_block", in_place), memory=memory)
    expected = gradient_of(setup, latent(setup), options=patched(setup, "input_block", plain))
    assert torch.equal(found.gradient, expected.gradient)


def test_errors_that_are_not_known_stay_what_they_are() -> None:
    def broken(h: torch.Tensor, _: Any) -> torch.Tensor:
        raise RuntimeError("something else")

    setup = tiny_setup()
    with pytest.raises(RuntimeError, match=r"^something else$"):
        gradient_of(setup, latent(setup), options=patched(setup, "input_block", broken))
    assert not any(value.requires_grad for value in setup.model.model.parameters())


def test_a_model_that_shows_no_attention_is_said_so(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = tiny_setup()
    x, sigma = latent(setup), torch.full((1,), 2.0)
    monkeypatch.setattr("headcount.bridge.gradients.differentiable_call._Outlines.add", lambda *_: None)
    one = gradient_pass(setup, x)
    with caplog.at_level(logging.WARNING):
        assert one(x, sigma, {}, Whole()) is None
        assert one(x, sigma, {}, Whole()) is None
    assert [record.getMessage()[:42] for record in caplog.records] == ["Count Control: this model shows none of it"]


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16, torch.float8_e4m3fn, torch.int8])
def test_normal_view_shares_the_storage(dtype: torch.dtype) -> None:
    with torch.inference_mode():
        whole = torch.arange(24, dtype=torch.float32).view(4, 6).to(dtype)
        part = whole[1:, ::2]
    view = autograd_view(part)
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
    with autograd_weights(model.modules()):
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
    with pytest.raises(KeyError), autograd_weights(model.modules()):
        raise KeyError
    assert all(one is other for one, other in zip(model.parameters(), before, strict=True))


def test_a_weight_that_is_replaced_meanwhile_stays_replaced() -> None:
    """ComfyUI's weight hooks do that before a model call."""
    model = small_model()
    hooked = nn.Parameter(torch.zeros(1, 3), requires_grad=False)
    with autograd_weights(model.modules()):
        model[2].weight = hooked
    assert model[2].weight is hooked


def test_normal_and_quantised_weights_are_left_alone() -> None:
    class Quantised(torch.Tensor):
        pass

    model = nn.Linear(2, 2)
    with torch.inference_mode():
        model.register_buffer("packed", torch.zeros(2).as_subclass(Quantised))
    kept = {**model._parameters, **model._buffers}
    with autograd_weights(model.modules()):
        assert all(value is kept[name] for name, value in {**model._parameters, **model._buffers}.items())


@pytest.mark.parametrize("known", [{1: ("input.1.0", "self", (3, 3)), 2: None}, {99: ("input.1.0", "self", (3, 3))}])
def test_calls_that_are_not_those_of_the_earlier_run_are_learnt_again(known: dict[int, Any]) -> None:
    """Another one in the same place, or fewer than there were."""
    setup = tiny_setup()
    x, sigma = latent(setup), torch.full((1,), 2.0)
    learnt = {tuple(x.shape): known}
    found = gradient_pass(setup, x, learnt=learnt)(x, sigma, {}, Whole(first=5))
    assert torch.equal(found.gradient, gradient_pass(setup, x)(x, sigma, {}, Whole(first=5)).gradient)
    assert list(learnt[tuple(x.shape)]) == [1, 2, 3, 4, 5]


def test_weights_that_moved_get_another_stand_in() -> None:
    with torch.inference_mode():
        layer, moved = nn.Linear(2, 2, bias=False), torch.ones(2, 2)
    known: dict[torch.Tensor, torch.Tensor] = {}
    seen = []
    for _ in range(2):
        with autograd_weights(layer.modules(), known):
            seen.append(layer.weight)
    assert seen[0] is seen[1]
    layer.weight.data = moved
    with autograd_weights(layer.modules(), known):
        assert torch.equal(layer.weight, moved)
