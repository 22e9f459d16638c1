"""Every sampler and scheduler of ComfyUI, masks, and calls that are split: Recorder and NUMINA Count Guide change nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.samplers
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.recorder import with_recorder

import nodes as comfy_nodes

from ..helpers.models import SMALLEST_UNET, Run, Setup, sample, smallest, tiny_setup
from ..helpers.numina_readings import always_wrong, without_a_bias

EVERY_STEP = IsacSettings("paper", "relative", 0.02, end_percent=1.0)
NODES: dict[str, Callable[[Any], tuple[Any, Any]]] = {
    "recorder": with_recorder,
    "numina": lambda model: with_numina(model, NuminaSettings(when="steps")),
    "isac": lambda model: with_isac(model, EVERY_STEP),
}


@pytest.fixture(scope="module")
def tiny() -> Setup:
    return tiny_setup(unet=SMALLEST_UNET)


@pytest.fixture
def read_in_vain(monkeypatch: pytest.MonkeyPatch) -> None:
    """NUMINA samples twice, without a bias: the second run is the plain one, or something was left of the first."""
    always_wrong(monkeypatch)
    without_a_bias(monkeypatch)


@pytest.mark.parametrize("name", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler(name: str, read_in_vain: None) -> None:
    """The recorder's is in test_step_tracker.py, ISAC's in test_isac_samplers.py."""
    run = Run(name, steps=4, size=(4, 4))
    setup = smallest()
    model, maps = NODES["numina"](setup.model)
    samples = sample(model, setup, run)
    assert torch.equal(samples, sample(setup.model, setup, run))
    record, belongs = maps.record_for(samples)
    assert belongs and record.steps


@pytest.mark.parametrize("name", comfy.samplers.SCHEDULER_NAMES)
def test_every_scheduler(name: str, tiny: Setup, read_in_vain: None) -> None:
    run = Run(steps=4, size=(4, 4), scheduler=name)
    plain = sample(tiny.model, tiny, run)
    for node, ours in NODES.items():
        model, maps = ours(tiny.model)
        samples = sample(model, tiny, run)
        assert torch.isfinite(samples).all() and torch.equal(samples, plain) is not (node == "isac"), node
        assert maps.record_for(samples)[1]


def test_a_mask_keeps_what_it_keeps_under_numina(tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    always_wrong(monkeypatch)
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1.0
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    run = Run(steps=4, size=(8, 8), latent=latent, noise_mask=mask)
    model, maps = NODES["numina"](tiny.model)
    samples, plain = sample(model, tiny, run), sample(tiny.model, tiny, run)
    assert maps.record_for(samples)[1]
    torch.testing.assert_close(samples[..., 4:], plain[..., 4:], rtol=1e-4, atol=1e-4)
    assert (samples - plain)[..., :4].abs().max() > 1e-3


def no_memory(device: Any = None, torch_free_too: bool = False) -> Any:
    """In place of ComfyUI's own function."""
    return (0, 0) if torch_free_too else 0


@pytest.mark.parametrize("node", NODES)
def test_positive_and_negative_in_calls_of_their_own(
    node: str, tiny: Setup, monkeypatch: pytest.MonkeyPatch, read_in_vain: None
) -> None:
    """With little memory ComfyUI asks about one after the other: the same picture and maps."""
    run, sizes = Run(size=(8, 8), batch=2), []
    model, maps = NODES[node](tiny.model)
    together = sample(model, tiny, run)
    seen = maps.record_for(together)[0]
    hook = tiny.model.model.diffusion_model.register_forward_pre_hook(lambda _, given: sizes.append(len(given[0])))
    monkeypatch.setattr(comfy.model_management, "get_free_memory", no_memory)
    try:
        model, maps = NODES[node](tiny.model)
        apart = sample(model, tiny, run)
    finally:
        hook.remove()
    assert set(sizes) <= {1, 2}, "never four: two pictures of two prompts"
    torch.testing.assert_close(apart, together, rtol=1e-3, atol=1e-3)
    found = maps.record_for(apart)[0]
    torch.testing.assert_close(found.cross_attention, seen.cross_attention, rtol=1e-2, atol=1e-3)
    assert found.cross_attention.shape[0] == 2


@pytest.mark.parametrize("node", ["recorder", "numina"])
def test_indices_of_a_batch(node: str, tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    """Latent From Batch picks noises by number: picture and maps are those of the whole batch."""
    always_wrong(monkeypatch)

    def sampled(latent: dict[str, Any]) -> tuple[torch.Tensor, Any]:
        model, maps = NODES[node](tiny.model)
        with torch.inference_mode():
            (out,) = comfy_nodes.KSampler().sample(
                model, 3, 4, 3.0, "euler", "normal", tiny.positive, tiny.negative, latent
            )
        return out["samples"], maps.record_for(out["samples"])[0]

    every, whole = sampled({"samples": torch.zeros(5, 4, 8, 8)})
    picked, some = sampled({"samples": torch.zeros(2, 4, 8, 8), "batch_index": [4, 1]})
    torch.testing.assert_close(picked, every[[4, 1]], rtol=1e-3, atol=1e-3)
    torch.testing.assert_close(some.cross_attention, whole.cross_attention[[4, 1]], rtol=1e-2, atol=1e-3)
