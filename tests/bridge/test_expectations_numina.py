"""NUMINA Count Guide beside other nodes on the same MODEL, before and after it: the same picture, read all the same."""

from __future__ import annotations

from typing import Any

import comfy.model_management
import pytest
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from torch import Tensor

from ..helpers.loras import hooked, loaded, same, state_of
from ..helpers.models import SMALLEST_UNET, Run, Setup, sample, shapes_setup, tiny_setup
from ..helpers.numina_readings import always_right, always_wrong, without_a_bias
from ..helpers.packs import ORDERS, PACKS, Patch, beside

RUN = Run(steps=3, size=(8, 8))
EARLY = NuminaSettings(when="steps")


@pytest.fixture(scope="module")
def tiny() -> Setup:
    return tiny_setup(unet=SMALLEST_UNET)


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    always_wrong(monkeypatch)


def guided(model: Any, pack: Patch, order: str) -> tuple[Any, Any]:
    """The MODEL of both nodes, ours after or before the other, and the maps."""
    return beside(pack, lambda model: with_numina(model, EARLY), model, order)


@pytest.mark.parametrize("name", PACKS)
def test_the_second_run_is_the_other_nodes_picture(
    name: str, tiny: Setup, wrong: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Without the bias, sampling twice gives what the other node alone gives; with it, both orders give one picture."""
    pack = PACKS[name]
    alone, biased = sample(pack(tiny.model), tiny, RUN), []
    for order in ORDERS:
        model, maps = guided(tiny.model, pack, order)
        samples = sample(model, tiny, RUN)
        biased.append(samples)
        assert torch.isfinite(samples).all() and not torch.equal(samples, alone)
        assert maps.record_for(samples)[0].layouts
    assert torch.equal(*biased)
    without_a_bias(monkeypatch)
    assert torch.equal(sample(guided(tiny.model, pack, "after")[0], tiny, RUN), alone)
    assert torch.equal(sample(guided(tiny.model, pack, "before")[0], tiny, RUN), alone)


@pytest.mark.parametrize("order", ORDERS)
def test_lora_at_load(order: str, wrong: None) -> None:
    setup = tiny_setup()
    state, plain = state_of(setup), sample(setup.model, setup, RUN)
    model, maps = guided(setup.model, lambda model: loaded(setup, model), order)
    samples = sample(model, setup, RUN)
    assert maps.record_for(samples)[1] and not torch.equal(samples, sample(loaded(setup, setup.model), setup, RUN))
    assert torch.equal(sample(setup.model, setup, RUN), plain) and same(state, setup)


def test_a_lora_as_hook_is_the_lora_at_load(wrong: None) -> None:
    """The second run has the hooks' weights as the first one, also where a keyframe changes them in between."""
    setup = tiny_setup()
    state = state_of(setup)
    expected = sample(with_numina(loaded(setup, setup.model), EARLY)[0], setup, RUN)
    hooks = {"positive": hooked(setup, setup.positive), "negative": hooked(setup, setup.negative)}
    model, maps = with_numina(setup.model, EARLY)
    samples = sample(model, setup, RUN, **hooks)
    torch.testing.assert_close(samples, expected, rtol=1e-3, atol=1e-3)
    assert maps.record_for(samples)[1] and same(state, setup)


@pytest.mark.parametrize("order", ORDERS)
def test_model_sampling_of_flow_models(order: str, wrong: None) -> None:
    """ModelSamplingSD3 and its like shift the schedule; the step of the reading follows."""
    setup = tiny_setup(flow=True)
    settings = NuminaSettings(when="noise level", reference_percent=0.6)

    def shifted(model: Any) -> Any:
        return ModelSamplingSD3().patch(model, 12.0)[0]

    run = Run(steps=10, size=(8, 8), scheduler="simple")
    read = []
    for pack in (shifted, lambda model: model):
        model, maps = beside(pack, lambda model: with_numina(model, settings), setup.model, order)
        samples = sample(model, setup, run)
        assert torch.isfinite(samples).all() and not torch.equal(samples, sample(pack(setup.model), setup, run))
        read.append(maps.record_for(samples)[0].steps[0])
    assert read[0].sigma > read[1].sigma or read[0].step > read[1].step


def test_callbacks_of_two_runs(wrong: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """The progress bar goes to the step of the reading, then once through the whole run; else as without the node."""
    setup, run, seen = shapes_setup(), Run(steps=4), []

    def callback(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
        assert denoised.shape == x.shape == (1, 8, 16, 16)
        seen.append((step, total))

    whole = [(step, 4) for step in range(4)]
    model, _ = with_numina(setup.model, EARLY)
    sample(model, setup, run, callback=callback)
    assert 0 < len(seen) - 4 < 4 and seen == whole[: len(seen) - 4] + whole
    seen.clear()
    always_right(monkeypatch)
    sample(model, setup, run, callback=callback)
    assert seen == whole


def test_cancel_acts_within_a_step(wrong: None) -> None:
    """ComfyUI's own button, in either run."""
    setup = shapes_setup()
    model, _ = with_numina(setup.model, EARLY)
    fresh = sample(model, setup, Run(steps=4))
    for last in (1, 4):
        seen = []

        def cancel(step: int, *_: Any, seen: list[int] = seen, last: int = last) -> None:
            seen.append(step)
            comfy.model_management.interrupt_current_processing(len(seen) == last)

        with pytest.raises(comfy.model_management.InterruptProcessingException):
            sample(model, setup, Run(steps=4), callback=cancel)
        assert len(seen) == last
        assert torch.equal(sample(model, setup, Run(steps=4)), fresh)
