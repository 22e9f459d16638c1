"""LoRAs: at load, as hooks of a conditioning, on a schedule. The gradient has to see the weights of the step."""

from __future__ import annotations

from functools import partial

import comfy.model_management
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder

from ..helpers.loras import hooked, loaded, same, state_of
from ..helpers.models import Run, Setup, sample, tiny_setup
from ..helpers.packs import ORDERS, beside

EVERY_STEP = IsacSettings("paper", "relative", 0.02, end_percent=1.0)
RUN = Run(steps=4, size=(8, 8))
LAYER = "middle_block.1.transformer_blocks.0.attn2.to_k"


@pytest.fixture
def tiny() -> Setup:
    return tiny_setup()


class Weights:
    """Sum of one layer's weights in every call: those of gradients, and those of the sampler, step by step."""

    def __init__(self, setup: Setup) -> None:
        self._layer = setup.model.model.diffusion_model.get_submodule(LAYER)
        self.of_gradients: list[float] = []
        self.of_sampler: list[set[float]] = []

    def __enter__(self) -> Weights:
        self._hook = self._layer.register_forward_pre_hook(self._note)
        return self

    def __exit__(self, *_: object) -> None:
        self._hook.remove()

    def _note(self, layer: torch.nn.Module, _: object) -> None:
        value = round(float(layer.weight.detach().double().sum()), 4)
        if torch.is_grad_enabled():
            self.of_gradients.append(value)
            self.of_sampler.append(set())
        elif self.of_sampler:  # before the first gradient, a call without a graph
            self.of_sampler[-1].add(value)


@pytest.mark.parametrize("order", ORDERS)
def test_lora_at_load(order: str, tiny: Setup) -> None:
    state = state_of(tiny)
    plain = sample(tiny.model, tiny, RUN)
    pack, ours = partial(loaded, tiny), partial(with_isac, settings=EVERY_STEP)
    model, maps = beside(pack, ours, tiny.model, order)
    with Weights(tiny) as weights:
        samples = sample(model, tiny, RUN)
    assert len(weights.of_gradients) == 4
    assert all(of_step == {value} for value, of_step in zip(weights.of_gradients, weights.of_sampler, strict=True))
    assert len(maps.record_for(samples)[0].steps) == 4
    assert torch.equal(sample(tiny.model, tiny, RUN), plain) and same(state, tiny)


def test_a_hook_on_everything_is_a_lora_at_load(tiny: Setup) -> None:
    """The same LoRA in two ways: the same steered picture."""
    expected = sample(with_isac(loaded(tiny, tiny.model), EVERY_STEP)[0], tiny, RUN)
    hooks = {"positive": hooked(tiny, tiny.positive), "negative": hooked(tiny, tiny.negative)}
    model, maps = with_isac(tiny.model, EVERY_STEP)
    samples = sample(model, tiny, RUN, **hooks)
    torch.testing.assert_close(samples, expected, rtol=1e-3, atol=1e-3)
    assert len(maps.record_for(samples)[0].steps) == 4
    watched, maps = with_recorder(tiny.model)
    samples = sample(watched, tiny, RUN, **hooks)
    assert torch.equal(samples, sample(tiny.model, tiny, RUN, **hooks))
    assert len(maps.record_for(samples)[0].steps) == 4


def test_a_hook_on_the_positive_prompt(tiny: Setup) -> None:
    """The sampler changes weights twice a step; the gradient is taken with those of the positive prompt."""
    state = state_of(tiny)
    positive = hooked(tiny, tiny.positive)
    base = round(float(tiny.model.model.diffusion_model.get_submodule(LAYER).weight.double().sum()), 4)
    model, maps = with_isac(tiny.model, EVERY_STEP)
    with Weights(tiny) as weights:
        samples = sample(model, tiny, RUN, positive=positive)
    assert len(weights.of_gradients) == 4
    for value, of_step in zip(weights.of_gradients, weights.of_sampler, strict=True):
        assert value != base and of_step == {value, base}
    assert len(maps.record_for(samples)[0].steps) == 4
    assert same(state, tiny), "weights are restored"


@pytest.mark.parametrize("sampler", ["euler", "heun", "uni_pc"])
def test_a_scheduled_hook(sampler: str, tiny: Setup) -> None:
    """From nothing to all in the middle of the run: each gradient has the strength of its step."""
    state, run = state_of(tiny), Run(sampler, steps=4, size=(8, 8))
    schedule = ((0.0, 0.0), (1.0, 0.45))
    hooks = {"positive": hooked(tiny, tiny.positive, schedule), "negative": hooked(tiny, tiny.negative, schedule)}
    model, maps = with_isac(tiny.model, EVERY_STEP)
    with Weights(tiny) as weights:
        samples = sample(model, tiny, run, **hooks)
    assert len(set(weights.of_gradients)) == 2
    assert weights.of_gradients[0] != weights.of_gradients[-1]
    for value, of_step in zip(weights.of_gradients, weights.of_sampler, strict=True):
        assert value in of_step
    assert len(maps.record_for(samples)[0].steps) >= 3
    assert same(state, tiny)
    again = sample(with_isac(tiny.model, EVERY_STEP)[0], tiny, run, **hooks)
    assert torch.equal(again, samples)


@pytest.mark.parametrize("cancel", [False, True], ids=["error", "cancel"])
def test_hooks_and_weights_come_back(cancel: bool, tiny: Setup) -> None:
    """After an error or a cancel in the middle of a run with hooks, the next run is as good as a fresh one."""
    state = state_of(tiny)
    hooks = {"positive": hooked(tiny, tiny.positive)}
    plain = sample(tiny.model, tiny, RUN)
    model, _ = with_isac(tiny.model, EVERY_STEP)
    whole = sample(model, tiny, RUN, **hooks)

    def stop(step: int, *_: object) -> None:
        if step == 1:
            if not cancel:
                raise KeyError("stop")
            comfy.model_management.interrupt_current_processing()

    error = comfy.model_management.InterruptProcessingException if cancel else KeyError
    with pytest.raises(error):
        sample(model, tiny, RUN, callback=stop, **hooks)
    assert same(state, tiny)
    assert torch.equal(sample(tiny.model, tiny, RUN), plain)
    assert torch.equal(sample(model, tiny, RUN, **hooks), whole)
