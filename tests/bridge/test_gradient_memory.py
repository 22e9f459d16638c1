"""Memory of the gradient pass: reserved beforehand, chosen by what is free, and never the end of a picture."""

from __future__ import annotations

import logging
from typing import Any

import comfy.model_management
import pytest
import torch
from comfy.ldm.modules.attention import attention_pytorch
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.gradients.memory import GradientMemory, lean_estimate, reserving
from headcount.bridge.gradients.recompute import recomputed
from headcount.bridge.isac.patched_model import with_runs
from headcount.bridge.recording.recorder import RecordedRun
from torch import Tensor

from ..helpers.gradients import Whole, gradient_of, gradient_pass, latent
from ..helpers.models import Run, sample, tiny_setup, weights_of

MIB = 1024**2
SIGMA = torch.full((1,), 2.0)


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Free memory, as ComfyUI reports it; the last value counts, earlier ones are reported first."""
    values = [1e12]

    def get_free_memory(*_: Any, **__: Any) -> float:
        return values.pop(0) if len(values) > 1 else values[0]

    monkeypatch.setattr(comfy.model_management, "get_free_memory", get_free_memory)
    return values


def test_the_estimate_is_comfyuis_with_efficient_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    model = tiny_setup().model.model
    monkeypatch.setattr(comfy.model_management, "pytorch_attention_flash_attention", lambda: True)
    assert lean_estimate(model, (2, 4, 64, 48)) == pytest.approx(model.memory_required([2, 4, 64, 48]))


def test_the_setting_decides_and_auto_looks_at_what_is_free(free: list[float]) -> None:
    model, x = tiny_setup().model.model, torch.zeros(1, 4, 64, 64)
    need = 20 * lean_estimate(model, x.shape)
    for setting, space, expected in [
        ("fast", 0.0, False),
        ("low", 1e12, True),
        ("auto", need * 1.01, False),
        ("auto", need * 0.99, True),
    ]:
        free[:] = [space]
        assert GradientMemory(setting, model, True).recomputes(x) is expected
        assert GradientMemory(setting, model, False).recomputes(x) is False, "nothing to recompute"


def test_what_was_measured_takes_the_place_of_the_estimate(free: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    model, x = tiny_setup().model.model, torch.zeros(1, 4, 64, 64)
    memory = GradientMemory("auto", model, True)
    with memory.measuring(x, recomputes=False):
        pass
    free[:] = [20 * MIB]
    assert memory.recomputes(x), "on a CPU nothing is measured"
    monkeypatch.setattr(comfy.model_management, "is_device_cpu", lambda _: False)
    free[:] = [100 * MIB, 90 * MIB]
    with memory.measuring(x, recomputes=False):
        pass
    free[:] = [20 * MIB]
    assert not memory.recomputes(x), "ten are enough"
    free[:] = [12 * MIB]
    assert memory.recomputes(x), "with a margin"


def test_too_little_free_memory_turns_recomputation_on(free: list[float], monkeypatch: pytest.MonkeyPatch) -> None:
    setup, seen = tiny_setup(), []
    expected = gradient_of(setup, latent(setup)).gradient
    monkeypatch.setattr("headcount.bridge.gradients.differentiable.recomputed", spied_blocks(seen))
    free[:] = [1000.0]
    assert torch.equal(gradient_of(setup, latent(setup), memory="auto").gradient, expected)
    free[:] = [1e12]
    gradient_of(setup, latent(setup), memory="auto")
    assert [bool(blocks) for blocks in seen] == [True, True, False, False], "a call without a graph, and a pass"


def spied_blocks(seen: list[Any]) -> Any:
    def spy(network: Any, blocks: Any) -> Any:
        seen.append(blocks)
        return recomputed(network, blocks)

    return spy


def fails_after(calls: list[int], monkeypatch: pytest.MonkeyPatch, message: str | None = None) -> None:
    """Attention runs out of memory at its n-th call of each given pass; 0 lets the pass through."""
    state = {"left": calls.pop(0)}

    def attention(*args: Any, **kwargs: Any) -> Tensor:
        if state["left"]:
            state["left"] -= 1
            if not state["left"]:
                state["left"] = calls.pop(0) if calls else 0
                raise RuntimeError(message) if message else comfy.model_management.OOM_EXCEPTION("out of memory")
        return attention_pytorch(*args, **kwargs)

    monkeypatch.setattr("headcount.bridge.gradients.differentiable_call.attention_pytorch", attention)


@pytest.mark.parametrize("memory", ["auto", "fast"])
@pytest.mark.parametrize("message", [None, "[enforce fail] DefaultCPUAllocator: not enough memory"])
def test_out_of_memory_once(
    memory: str, message: str | None, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Blocks are recomputed at once and from then on; the gradient is the same."""
    setup, seen = tiny_setup(), []
    x = latent(setup)
    expected = gradient_of(setup, x).gradient
    before = weights_of(setup.model)
    monkeypatch.setattr("headcount.bridge.gradients.differentiable.recomputed", spied_blocks(seen))
    one = gradient_pass(setup, x, memory)
    fails_after([20], monkeypatch, message)  # behind the 14 calls without a graph
    for _ in range(2):
        assert torch.equal(one(x, SIGMA, {}, Whole()).gradient, expected)
    assert [bool(blocks) for blocks in seen] == [False, False, True, True]
    assert weights_of(setup.model) == before
    assert not caplog.records


@pytest.mark.parametrize(("memory", "fails"), [("auto", [6, 9]), ("fast", [6, 9]), ("low", [6]), ("low", [20])])
def test_out_of_memory_for_good(
    memory: str, fails: list[int], caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The step is left out with one warning, in the forward as in the backward pass, and nothing is left behind."""
    setup = tiny_setup()
    x = latent(setup)
    before = weights_of(setup.model)
    one = gradient_pass(setup, x, memory)
    with caplog.at_level(logging.WARNING):
        for _ in range(2):
            fails_after(list(fails), monkeypatch)
            assert one(x, SIGMA, {}, Whole()) is None
            fails = fails[-1:]
    (warning,) = [record.getMessage() for record in caplog.records]
    assert warning.startswith("Count Control: not enough memory") and "Noise Picker" in warning
    assert weights_of(setup.model) == before
    assert torch._C._autograd._top_saved_tensors_default_hooks(False) is None
    monkeypatch.undo()
    assert one(x, SIGMA, {}, Whole()).gradient.abs().max() > 0, "tried again when there is room"


def reserved(memory: Any, monkeypatch: pytest.MonkeyPatch) -> tuple[float, Tensor]:
    """The memory that ComfyUI was asked for in a run, and the samples."""
    asked = []
    load = comfy.model_management.load_models_gpu

    def spy(*args: Any, memory_required: float = 0, **kwargs: Any) -> Any:
        asked.append(kwargs["minimum_memory_required"])
        return load(*args, memory_required=memory_required, **kwargs)

    monkeypatch.setattr(comfy.model_management, "load_models_gpu", spy)
    setup = tiny_setup()

    def start(guider: Any, sigmas: Tensor, family: Any) -> RecordedRun:
        return RecordedRun([], family, guider.inner_model.diffusion_model)

    patched, _ = with_runs(setup.model, "test", RunNotes("the test"), start, memory)
    samples = sample(patched, setup, Run(steps=2))
    return asked[-1], samples


def test_comfyui_is_asked_for_room(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(comfy.model_management, "pytorch_attention_flash_attention", lambda: True)
    found = {memory: reserved(memory, monkeypatch) for memory in (None, "auto", "low", "fast")}
    plain = found[None][0]
    assert [round(found[memory][0] / plain) for memory in ("auto", "low", "fast")] == [6, 6, 20]
    assert all(torch.equal(samples, found[None][1]) for _, samples in found.values())


def test_comfyuis_own_estimate_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without efficient attention ComfyUI asks for more room, so that less is missing."""
    monkeypatch.setattr(comfy.model_management, "pytorch_attention_flash_attention", lambda: False)
    monkeypatch.setattr(comfy.model_management, "xformers_enabled", lambda: False)
    setup, shapes = tiny_setup(), []
    monkeypatch.setattr(setup.model.model, "manual_cast_dtype", torch.float16)
    for setting, can_recompute in (("auto", True), ("auto", False), ("fast", True)):
        prepare = reserving(setting, can_recompute)
        prepare(lambda model, shape, conds: shapes.append(shape), setup.model, (2, 4, 64, 64), {})
    assert shapes == [[2, 4, 64, 64], [6, 4, 64, 64], [6, 4, 64, 64]]
