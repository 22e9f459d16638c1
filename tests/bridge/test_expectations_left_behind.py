"""What a run leaves: nothing on the model, nothing in memory but its maps; and nodes beside a ControlNet."""

from __future__ import annotations

import gc
import weakref
from collections.abc import Callable
from typing import Any

import comfy.model_management
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.recorder import with_recorder

import nodes as comfy_nodes

from ..helpers import models
from ..helpers.controlnets import random_controlnet
from ..helpers.models import Run, Setup, random_state_after, sample, shapes_setup, tiny_setup, weights_of
from ..helpers.numina_readings import always_wrong, without_a_bias
from ..helpers.packs import COMPILED

NODES: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "recorder": with_recorder,
    "isac": lambda model: with_isac(model, IsacSettings("paper", "relative", 0.02, end_percent=1.0)),
    "numina": lambda model: with_numina(model, NuminaSettings(when="steps")),
}
RUN = Run(steps=4, size=(8, 8))
every_node = pytest.mark.parametrize("name", NODES)


@pytest.fixture(autouse=True)
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """NUMINA always starts again."""
    always_wrong(monkeypatch)


def traces(setup: Setup) -> tuple[Any, ...]:
    """All that a node could leave on a model and its parts."""
    modules = list(setup.model.model.modules())
    hooks = [
        (len(one._forward_hooks), len(one._forward_pre_hooks), len(one._backward_hooks), "forward" in vars(one))
        for one in modules
    ]
    wants = [weight.requires_grad for weight in setup.model.model.parameters()]
    return hooks, wants, weights_of(setup.model), repr(setup.model.model_options), repr(setup.model.wrappers)


def ended(how: str, at: int) -> Callable[..., None] | None:
    """A callback that lets a run go on, or ends it."""

    def callback(step: int, *_: Any) -> None:
        if step == at and how == "error":
            raise KeyError("stop")
        comfy.model_management.interrupt_current_processing(step == at and how == "cancel")

    return None if how == "success" else callback


@every_node
@pytest.mark.parametrize("how", ["success", "error", "cancel"])
def test_the_model_and_memory_are_as_before(name: str, how: str) -> None:
    """Activations of the model's calls are gone with the run, without the garbage collector."""
    setup = tiny_setup()
    plain, before, alive = sample(setup.model, setup, RUN), traces(setup), []
    block = setup.model.model.diffusion_model.middle_block[1]
    model, _ = NODES[name](setup.model)
    hook = block.register_forward_hook(lambda *given: alive.append(weakref.ref(given[2])))
    gc.collect()
    gc.disable()
    try:
        if how == "success":
            sample(model, setup, RUN)
        else:
            error = KeyError if how == "error" else comfy.model_management.InterruptProcessingException
            with pytest.raises(error):
                sample(model, setup, RUN, callback=ended(how, 1))
        hook.remove()
        assert alive and [one for one in alive if one() is not None] == []
    finally:
        gc.enable()
    assert traces(setup) == before
    assert torch.equal(sample(setup.model, setup, RUN), plain)


@every_node
def test_random_numbers_after_an_error_are_comfyuis(name: str) -> None:
    setup, run = tiny_setup(), Run("euler_ancestral", steps=4, size=(8, 8))

    def broken(model: Any) -> None:
        with pytest.raises(KeyError):
            sample(model, setup, run, callback=ended("error", 3))

    without = random_state_after(lambda: broken(setup.model))
    assert random_state_after(lambda: broken(NODES[name](setup.model)[0])) == without


@pytest.mark.parametrize("name", ["recorder", "numina"])
def test_beside_a_controlnet(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own attention is not the model's: the picture is that of the ControlNet, the maps are of the model's calls."""
    setup, run = shapes_setup(), Run(steps=3)
    hint = torch.rand(1, 128, 128, 3, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        positive, negative = comfy_nodes.ControlNetApplyAdvanced().apply_controlnet(
            setup.positive, setup.negative, random_controlnet(), hint, 1.0, 0.0, 1.0
        )
    plain = sample(setup.model, setup, run, positive=positive, negative=negative)
    assert not torch.equal(plain, sample(setup.model, setup, run))
    model, maps = NODES[name](setup.model)
    if name == "numina":
        biased = sample(model, setup, run, positive=positive, negative=negative)
        assert torch.isfinite(biased).all() and not torch.equal(biased, plain)
        without_a_bias(monkeypatch)
    assert torch.equal(sample(model, setup, run, positive=positive, negative=negative), plain)
    assert maps.record_for(plain)[1]


def test_numina_on_a_compiled_model(monkeypatch: pytest.MonkeyPatch, caplog: Any) -> None:
    """It is guided as the model itself is. Compiling takes long, so that one of the two orders was left out."""
    flat = {"channel_mult": [1], "num_res_blocks": [1], "transformer_depth": [1], "transformer_depth_output": [1, 1]}
    monkeypatch.setattr(models, "TINY_UNET", {**models.TINY_UNET, **flat})
    setup, run, ours = tiny_setup(), Run(steps=3, size=(8, 8)), NODES["numina"]
    torch._dynamo.reset()
    model, maps = ours(COMPILED(setup.model))
    samples = sample(model, setup, run)
    torch._dynamo.reset()
    torch.testing.assert_close(samples, sample(ours(setup.model)[0], setup, run), rtol=1e-3, atol=1e-3)
    assert maps.record_for(samples)[0].layouts
    assert "read nothing" not in caplog.text
