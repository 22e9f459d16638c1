"""Other nodes on the same MODEL, before and after ours: same picture, maps that are filled, a gradient that is not zero."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.attention.records import RunRecord

from ..helpers.models import Run, Setup, sample, tiny_setup, weights_of
from ..helpers.packs import EASY, HYPERTILE, LAZY, ORDERS, PACKS, TOME, Patch, beside

EVERY_STEP = IsacSettings("paper", "relative", 0.02, end_percent=1.0)
RUN = Run(steps=2, size=(16, 16))


@pytest.fixture(scope="module")
def tiny() -> Setup:
    return tiny_setup()


@pytest.fixture(scope="module")
def unsteered(tiny: Setup) -> torch.Tensor:
    return sample(tiny.model, tiny, RUN)


def both_orders(model: Any, pack: Patch, ours: Any) -> list[tuple[Any, Any]]:
    """(model, maps) with the other node before ours, and after it."""
    before = ours(pack(model))
    mine, maps = ours(model)
    return [before, (pack(mine), maps)]


def filled(record: RunRecord, steps: int) -> None:
    """Every step was recorded; each pixel's attention is a distribution that is not the same everywhere."""
    assert [step.step for step in record.steps] == list(range(steps))
    for attention in (record.cross_attention.float(), record.self_attention.float()):
        assert torch.isfinite(attention).all() and attention.min() >= 0
        assert attention.std(dim=1).max() > 1e-4
    torch.testing.assert_close(record.self_attention.float().sum(-1), torch.ones(()).expand(1, 256), rtol=0, atol=2e-2)


@pytest.mark.parametrize("name", PACKS)
def test_watched(name: str, tiny: Setup, unsteered: torch.Tensor) -> None:
    pack = PACKS[name]
    alone = sample(pack(tiny.model), tiny, RUN)
    assert torch.isfinite(alone).all()
    if name != "differential diffusion":  # that one acts on masks
        assert not torch.equal(alone, unsteered), "the other node does something"
    records = []
    for model, maps in both_orders(tiny.model, pack, with_recorder):
        samples = sample(model, tiny, RUN)
        assert torch.equal(samples, alone)
        record, belongs = maps.record_for(samples)
        assert belongs
        filled(record, RUN.steps)
        records.append(record)
    assert torch.equal(records[0].cross_attention, records[1].cross_attention)
    assert torch.equal(records[0].self_attention, records[1].self_attention)


@pytest.mark.parametrize("name", PACKS)
def test_steered(name: str, tiny: Setup, unsteered: torch.Tensor) -> None:
    pack = PACKS[name]
    weights = weights_of(tiny.model)
    alone = sample(pack(tiny.model), tiny, RUN)
    steered = []
    for model, maps in both_orders(tiny.model, pack, lambda model: with_isac(model, EVERY_STEP)):
        steered.append(sample(model, tiny, RUN))
        record, _ = maps.record_for(steered[-1])
        filled(record, RUN.steps)
        losses = torch.stack([step.instance_loss + step.semantic_loss for step in record.steps])
        assert torch.isfinite(losses).all() and (losses > 0).all()
    assert torch.isfinite(steered[0]).all() and not torch.equal(steered[0], alone)
    torch.testing.assert_close(steered[1], steered[0], rtol=1e-5, atol=1e-5)
    assert torch.equal(sample(tiny.model, tiny, RUN), unsteered), "nothing is left in the model"
    assert name == "lora" or weights_of(tiny.model) == weights


def test_guidance_that_asks_again_is_not_recorded(tiny: Setup) -> None:
    """PAG asks about the same words with one layer disturbed, after the sampler's own call: the maps are of the latter.

    Up to the first answer nothing differs, so that the maps of a run of one step are those without PAG.
    """
    run = Run(steps=1, size=(16, 16))
    found = []
    for model, maps in (with_recorder(tiny.model), with_recorder(PACKS["PAG"](tiny.model))):
        found.append(maps.record_for(sample(model, tiny, run))[0])
    assert torch.equal(found[0].cross_attention, found[1].cross_attention)
    assert torch.equal(found[0].self_attention, found[1].self_attention)


def test_ipadapters_words_are_not_the_prompts(tiny: Setup) -> None:
    """Attention to a picture's tokens is left out, or attributed to no word of the prompt."""
    model, maps = with_recorder(PACKS["attn2 replace"](tiny.model))
    record = maps.record_for(sample(model, tiny, RUN))[0]
    assert record.cross_attention.shape[-1] == 7
    assert float(record.cross_attention.float().sum(-1).max()) <= 1.01


@pytest.mark.parametrize("pack", [HYPERTILE, TOME], ids=["HyperTile", "ToMe"])
def test_merged_and_tiled_tokens(pack: Patch, tiny: Setup) -> None:
    """Layers whose tokens are no grid of the picture are left out; the coarser ones, which are left alone, are read."""
    run = Run(steps=3, size=(16, 16))
    torch.manual_seed(0)
    alone = sample(pack(tiny.model), tiny, run)
    for model, maps in both_orders(tiny.model, pack, with_recorder):
        torch.manual_seed(0)
        samples = sample(model, tiny, run)
        record = maps.record_for(samples)[0]
        assert torch.isfinite(samples).all() and len(record.steps) == 3
        assert torch.isfinite(record.cross_attention).all() and record.self_attention.std() > 0
        if pack is HYPERTILE:  # ToMe merges random tokens
            assert samples.shape == alone.shape
    for model, maps in both_orders(tiny.model, pack, lambda model: with_isac(model, EVERY_STEP)):
        samples = sample(model, tiny, run)
        assert torch.isfinite(samples).all() and len(maps.record_for(samples)[0].steps) == 3


@pytest.mark.parametrize("pack", [EASY, LAZY], ids=["EasyCache", "LazyCache"])
def test_steps_that_ask_no_model(pack: Patch, tiny: Setup) -> None:
    """A cached step leaves no maps, and is steered nonetheless: the gradient is never one of a cached answer."""
    run = Run(steps=8, size=(16, 16))
    alone = sample(pack(tiny.model), tiny, run)
    assert not torch.equal(alone, sample(tiny.model, tiny, run)), "some steps were left out"
    for model, maps in both_orders(tiny.model, pack, with_recorder):
        samples = sample(model, tiny, run)
        assert torch.equal(samples, alone)
        assert 1 <= len(maps.record_for(samples)[0].steps) < 8
    results = []
    for model, maps in both_orders(tiny.model, pack, lambda model: with_isac(model, EVERY_STEP)):
        with counted_gradients() as gradients:
            results.append(sample(model, tiny, run))
        assert len(gradients) == 8 and all(norm > 0 for norm in gradients)
        assert 1 <= len(maps.record_for(results[-1])[0].steps) < 8
    assert torch.equal(*results)


class counted_gradients:
    """Lengths of the gradients that ISAC takes within the block."""

    def __enter__(self) -> list[float]:
        import headcount.bridge.isac.control as isac

        norms: list[float] = []
        self._real = real = isac.GradientPass.__call__

        def spy(self: Any, *args: Any, **kwargs: Any) -> Any:
            found = real(self, *args, **kwargs)
            norms.append(0.0 if found is None else float(found.gradient.norm()))
            return found

        isac.GradientPass.__call__ = spy
        return norms

    def __exit__(self, *_: object) -> None:
        import headcount.bridge.isac.control as isac

        isac.GradientPass.__call__ = self._real


@pytest.mark.parametrize("order", ORDERS)
def test_model_sampling_of_flow_models(order: str) -> None:
    """ModelSamplingSD3 and its like shift the schedule; percent and noise levels follow."""
    setup = tiny_setup(flow=True)

    def shifted(model: Any) -> Any:
        return ModelSamplingSD3().patch(model, 6.0)[0]

    alone = sample(shifted(setup.model), setup, RUN)
    assert not torch.equal(alone, sample(setup.model, setup, RUN))
    half = IsacSettings("paper", "relative", 0.02, end_percent=0.5)
    model, maps = beside(shifted, lambda model: with_isac(model, half), setup.model, order)
    samples = sample(model, setup, RUN)
    assert torch.isfinite(samples).all() and not torch.equal(samples, alone)
    steered = [step.sigma for step in maps.record_for(samples)[0].steps if step.instance_loss is not None]
    last = 6.0 * 0.5 / (1 + 5.0 * 0.5)  # the noise level at half of the timesteps, shifted
    assert steered and min(steered) > last


@pytest.mark.parametrize("order", ORDERS)
def test_differential_diffusion_with_a_soft_mask(order: str, tiny: Setup) -> None:
    """The part that is drawn grows while the run goes on."""
    mask = torch.linspace(0, 1, 16).view(1, 1, 1, 16).expand(1, 1, 16, 16).clone()
    latent = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(0))
    run = Run(steps=6, size=(16, 16), latent=latent, noise_mask=mask)
    pack = PACKS["differential diffusion"]
    model, maps = beside(pack, lambda model: with_isac(model, EVERY_STEP), tiny.model, order)
    samples, alone = sample(model, tiny, run), sample(pack(tiny.model), tiny, run)
    assert torch.isfinite(samples).all()
    assert (samples - alone)[..., 8:].abs().max() > 1e-3
    assert len(maps.record_for(samples)[0].steps) == 6
