"""NUMINA Count Guide in ComfyUI's own samplers, on a small model of every architecture that it guides."""

from __future__ import annotations

import weakref
from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import comfy.context_windows
import comfy.sample
import pytest
import torch
from comfy_execution.graph_utils import ExecutionBlocker
from comfy_extras.nodes_easycache import EasyCacheNode
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina import guided_rows
from headcount.bridge.numina.clock import step_of
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.maps import EmptyRun
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY, Counts
from headcount.nodes.numina_count_guide import NuminaCountGuide
from torch import Tensor

from ..helpers.families import SMALL, built
from ..helpers.models import Run, Setup, random_state_after, sample, sample_advanced, shapes_setup, start, weights_of
from ..helpers.numina_readings import always_right, always_wrong, without_a_bias
from ..helpers.video_models import VIDEOS, built_video

SAMPLERS = ("euler", "heun", "dpmpp_2m", "dpmpp_sde", "euler_ancestral", "uni_pc", "dpm_2", "lcm")
GUIDED = [one for one in SMALL if not one.name.startswith("PixArt")]
MODELS: dict[str, tuple[Any, Callable[[str], Setup]]] = {
    **{one.name: (one, built) for one in GUIDED},
    **{one.name: (one, built_video) for one in VIDEOS},
}
every_model = pytest.mark.parametrize("name", sorted(MODELS))


@pytest.fixture
def wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    always_wrong(monkeypatch)


@pytest.fixture
def right(monkeypatch: pytest.MonkeyPatch) -> None:
    always_right(monkeypatch)


@pytest.fixture
def without_bias(monkeypatch: pytest.MonkeyPatch) -> None:
    without_a_bias(monkeypatch)


def runs_of(name: str, batch: int = 1, **options: Any) -> tuple[Setup, Run]:
    one, make = MODELS[name]
    return make(name), one.run(batch, **options)


def calls_of(model: Any, setup: Setup, run: Run) -> tuple[Tensor, int]:
    """What is sampled, and how often the model's blocks were asked to begin."""
    seen = []
    hook = setup.model.model.diffusion_model.register_forward_pre_hook(lambda *_: seen.append(1))
    try:
        return sample(model, setup, run), len(seen)
    finally:
        hook.remove()


@every_model
def test_a_second_run_without_bias_is_the_plain_one(name: str, wrong: None, without_bias: None) -> None:
    setup, run = runs_of(name, batch=2)
    guided, _ = with_numina(setup.model, NuminaSettings(when="steps"))
    samples, calls = calls_of(guided, setup, run)
    plain, plain_calls = calls_of(setup.model, setup, run)
    assert torch.equal(samples, plain)
    shared = plain_calls == run.steps  # both conditionings in one call
    assert calls == plain_calls + (2 if shared else 3), "two of three steps, the second one in part"


@every_model
def test_nothing_to_change_goes_on(name: str, right: None) -> None:
    setup, run = runs_of(name)
    guided, handle = with_numina(setup.model, NuminaSettings())
    samples, calls = calls_of(guided, setup, run)
    plain, plain_calls = calls_of(setup.model, setup, run)
    assert torch.equal(samples, plain)
    assert calls == plain_calls
    record, belongs = handle.record_for(samples)
    assert belongs and set(record.layouts) == {"red cats", "dog"}


@every_model
def test_a_bias_changes_the_picture(name: str, wrong: None) -> None:
    setup, run = runs_of(name)
    guided, handle = with_numina(setup.model, NuminaSettings())
    samples = sample(guided, setup, run)
    assert samples.isfinite().all()
    assert not torch.equal(samples, sample(setup.model, setup, run))
    assert torch.equal(samples, sample(guided, setup, run)), "and the same one again"
    before, after = handle.record_for(samples)[0].layouts["dog"]
    assert before.max() == 1 and after.max() == 100 and after.min() == -1


@pytest.mark.parametrize("name", ["Wan 2.1", "Stable Diffusion 1.5"])
@pytest.mark.parametrize("sampler", SAMPLERS)
def test_no_sampler_notices(sampler: str, name: str, wrong: None, without_bias: None) -> None:
    setup, run = runs_of(name, sampler=sampler, steps=5)
    guided, _ = with_numina(setup.model, NuminaSettings())
    assert torch.equal(sample(guided, setup, run), sample(setup.model, setup, run))


def test_real_readings_on_the_shapes_model() -> None:
    setup = shapes_setup()
    run = Run(steps=10, batch=3)
    guided, handle = with_numina(setup.model, NuminaSettings())
    samples = sample(guided, setup, run)
    record, belongs = handle.record_for(samples)
    assert belongs and record.steps[0].step == 4
    assert {noun: before.shape for noun, (before, _) in record.layouts.items()} == {
        "red circles": (3, 16, 16),
        "stars": (3, 16, 16),
    }
    each = [sample(guided, setup, replace(run, batch=1, seed=3)), samples[:1]]
    assert torch.allclose(*each, atol=1e-3), "a picture of a batch is guided by its own layout"


def test_strength_0_reads_and_changes_nothing(wrong: None) -> None:
    setup = shapes_setup()
    guided, handle = with_numina(setup.model, NuminaSettings(strength=0.0))
    samples = sample(guided, setup)
    assert torch.equal(samples, sample(setup.model, setup))
    assert handle.record_for(samples)[1]


def test_the_unpatched_model_and_random_numbers_stay(wrong: None) -> None:
    setup = shapes_setup()
    plain, options, weights = sample(setup.model, setup), repr(setup.model.model_options), weights_of(setup.model)
    guided, _ = with_numina(setup.model, NuminaSettings())
    hooks = [len(one._forward_pre_hooks) for one in setup.model.model.modules()]
    assert not torch.equal(sample(guided, setup), plain)
    assert (repr(setup.model.model_options), weights_of(setup.model)) == (options, weights)
    assert [len(one._forward_pre_hooks) for one in setup.model.model.modules()] == hooks
    assert torch.equal(sample(setup.model, setup), plain)
    run = Run("euler_ancestral")
    states = [random_state_after(lambda model=model: sample(model, setup, run)) for model in (setup.model, guided)]
    assert states[0] == states[1]


def test_cancel_in_either_run_leaves_nothing_behind(wrong: None) -> None:
    setup = shapes_setup()
    guided, _ = with_numina(setup.model, NuminaSettings())
    fresh = sample(guided, setup)
    for last in (0, 3):
        seen = []

        def stop(*_: Any, seen: list[int] = seen, last: int = last) -> None:
            seen.append(1)
            if len(seen) > last:
                raise KeyboardInterrupt

        with pytest.raises(KeyboardInterrupt):
            sample(guided, setup, callback=stop)
        assert torch.equal(sample(guided, setup), fresh)


def test_advanced_sampling_gives_the_same(wrong: None) -> None:
    setup, run = shapes_setup(), Run(steps=4)
    guided, _ = with_numina(setup.model, NuminaSettings())
    assert torch.equal(sample_advanced(guided, setup, run), sample(guided, setup, run))


@pytest.mark.parametrize("other", ["isac", "recorder"])
def test_both_orders_give_the_same(other: str, wrong: None) -> None:
    setup, run = shapes_setup(), Run(steps=5)
    patch = {
        "isac": lambda model: with_isac(model, IsacSettings())[0],
        "recorder": lambda model: with_recorder(model)[0],
    }
    before, _ = with_numina(patch[other](setup.model), NuminaSettings())
    behind = patch[other](with_numina(setup.model, NuminaSettings())[0])
    samples = sample(before, setup, run)
    assert torch.equal(samples, sample(behind, setup, run))
    if other == "recorder":
        assert torch.equal(samples, sample(with_numina(setup.model, NuminaSettings())[0], setup, run))


def test_cached_calls_are_not_in_the_picture(right: None) -> None:
    setup, run = shapes_setup(), Run(steps=40)
    seen: list[int] = []
    hook = setup.model.model.diffusion_model.time_embed.register_forward_pre_hook(lambda *_: seen.append(1))
    try:
        samples = sample(with_numina(setup.model, NuminaSettings(cache=True))[0], setup, run)
    finally:
        hook.remove()
    assert torch.equal(samples, sample(setup.model, setup, run))
    assert 40 < len(seen) < 40 + 17, "the first run saved some of its calls, and was thrown away"


def test_empty_counts_change_nothing(wrong: None) -> None:
    setup = shapes_setup()
    nothing = Counts("", (), setup.counts.tokens, setup.counts.lengths)
    positive = [[text, {**options, CONDITIONING_KEY: nothing}] for text, options in setup.positive]
    guided, handle = with_numina(setup.model, NuminaSettings())
    samples = sample(guided, setup, positive=positive)
    assert torch.equal(samples, sample(setup.model, setup))
    left, belongs = handle.record_for(samples)
    assert isinstance(left, EmptyRun) and belongs


def test_one_step_and_late_beginnings_are_plain(wrong: None) -> None:
    setup = shapes_setup()
    guided, _ = with_numina(setup.model, NuminaSettings())
    for run in (Run(steps=1), Run(steps=4, denoise=0.3, latent=torch.ones(1, 8, 16, 16))):
        assert torch.equal(sample(guided, setup, run), sample(setup.model, setup, run))


def test_a_layer_that_is_not_there_is_named(wrong: None) -> None:
    setup = shapes_setup()
    guided, _ = with_numina(setup.model, NuminaSettings(reference_layer=40))
    with pytest.raises(CountError, match="reference_layer is 40, but this model has 11 attention layers"):
        sample(guided, setup)


def test_a_model_that_hides_its_attention_is_refused() -> None:
    with pytest.raises(CountError, match="Count Guide cannot read the attention of this model"):
        with_numina(built("PixArt Sigma").model, NuminaSettings())


def test_easycache_starts_afresh_in_the_second_run(wrong: None, without_bias: None) -> None:
    setup, run = shapes_setup(), Run(steps=20)
    cached = EasyCacheNode.execute(setup.model, 0.5, 0.1, 0.95, False).args[0]
    guided, handle = with_numina(cached, NuminaSettings())
    samples = sample(guided, setup, run)
    assert torch.equal(samples, sample(cached, setup, run))
    assert not torch.equal(samples, sample(setup.model, setup, run)), "some steps were saved"
    assert handle.record_for(samples)[1]


def context_windows(model: Any, length: int, overlap: int, dim: int) -> Any:
    patched = model.clone()
    patched.model_options["context_handler"] = comfy.context_windows.IndexListContextHandler(
        context_schedule=comfy.context_windows.get_matching_context_schedule("standard_static"),
        fuse_method=comfy.context_windows.get_matching_fuse_method("pyramid"),
        context_length=length,
        context_overlap=overlap,
        dim=dim,
    )
    comfy.context_windows.create_prepare_sampling_wrapper(patched)
    return patched


@pytest.mark.parametrize("bias", [True, False])
def test_context_windows_over_a_video(bias: bool, wrong: None, monkeypatch: pytest.MonkeyPatch) -> None:
    setup, run = runs_of("Wan 2.1")
    run = replace(run, latent=torch.zeros(1, 16, 7, 7, 12))
    windowed = context_windows(setup.model, 3, 1, 2)
    guided, handle = with_numina(windowed, NuminaSettings(when="steps"))
    if not bias:
        monkeypatch.setattr(guided_rows.PictureGuide, "apply", lambda *_: None)
    samples = sample(guided, setup, run)
    assert torch.equal(samples, sample(windowed, setup, run)) is not bias
    assert handle.record_for(samples)[0].layouts["dog"][0].shape == (7, 4, 6), "every frame, read once"


def test_without_a_second_half_nothing_behind_it_runs() -> None:
    low = NuminaCountGuide.execute(shapes_setup().model, 1.0, 0.4, "robust", "auto", -1, False).args[2]
    assert isinstance(low, ExecutionBlocker)
    assert "LOW_NOISE_MODEL is empty, since low_noise_model has no model. Connect the low-noise part" in low.message


def test_the_second_half_of_a_model_follows_the_first(wrong: None) -> None:
    setup, run = runs_of("Wan 2.1", steps=8)
    high, _, low = NuminaCountGuide.execute(
        setup.model, 1.0, 0.4, "robust", "auto", -1, False, low_noise_model=setup.model
    ).args

    def in_two_parts(first: Any, second: Any) -> Tensor:
        with torch.inference_mode():
            latent, noise = start(setup, run)
            common = (run.steps, run.cfg, run.sampler, run.scheduler, setup.positive, setup.negative)
            half = comfy.sample.sample(
                first, noise, *common, latent, last_step=6, force_full_denoise=False, disable_pbar=True, seed=1
            )
            return comfy.sample.sample(
                second,
                torch.zeros_like(noise),
                *common,
                half,
                start_step=6,
                disable_noise=True,
                disable_pbar=True,
                seed=1,
            )

    plain_end, guided_end = in_two_parts(high, setup.model), in_two_parts(high, low)
    assert not torch.equal(plain_end, guided_end)
    assert torch.equal(in_two_parts(setup.model, low), in_two_parts(setup.model, setup.model)) is False, (
        "kept from before"
    )
    other = replace(run, latent=torch.zeros(1, 16, 5, 7, 12))
    assert torch.equal(sample(low, setup, other), sample(setup.model, setup, other)), "not a video of another size"


def with_count(setup: Setup, number: int) -> Setup:
    """The same, asked for so many of the first noun."""
    text, options = setup.positive[0]
    counts = setup.counts
    objects = (replace(counts.objects[0], count=number), *counts.objects[1:])
    return replace(setup, positive=[[text, {**options, CONDITIONING_KEY: replace(counts, objects=objects)}]])


@pytest.mark.parametrize("number", [0, 99])
def test_counts_beyond_reason_give_a_picture(number: int) -> None:
    setup = with_count(shapes_setup(), number)
    guided, handle = with_numina(setup.model, NuminaSettings())
    samples = sample(guided, setup, Run(steps=6))
    _, after = handle.record_for(samples)[0].layouts["red circles"]
    assert samples.isfinite().all()
    assert (after > 0).any() == (number > 0)


@pytest.mark.parametrize("frames", [1, 2])
def test_videos_of_one_and_two_frames(frames: int) -> None:
    setup, run = runs_of("Wan 2.1", steps=4)
    run = replace(run, latent=torch.zeros(1, 16, frames, 9, 14))
    guided, handle = with_numina(setup.model, NuminaSettings())
    samples = sample(guided, setup, run)
    assert samples.isfinite().all()
    assert handle.record_for(samples)[0].layouts["dog"][0].shape == (frames, 5, 7), "odd sides are padded"


def test_few_steps_without_guidance() -> None:
    """As a distilled model is run: four steps at cfg 1."""
    setup, run = shapes_setup(), Run(steps=4, cfg=1.0)
    guided, handle = with_numina(setup.model, NuminaSettings())
    assert handle.record_for(sample(guided, setup, run))[0].steps[0].step == 2


def test_a_model_of_sound_is_refused() -> None:
    sound = SimpleNamespace(model=type("StableAudio1", (), {"diffusion_model": torch.nn.Identity()})())
    with pytest.raises(CountError, match=r"Count Guide cannot read the attention of this model .StableAudio1."):
        with_numina(sound, NuminaSettings())


def test_the_broken_off_step_is_let_go(wrong: None) -> None:
    """Its activations would lie beside those of the whole second run."""
    setup, run = runs_of("Wan 2.1", steps=6)
    guided, _ = with_numina(setup.model, NuminaSettings(when="steps"))
    seen: list[tuple[int, Any]] = []
    alive: list[int] = []

    def watch(function: Any, q: Tensor, *arguments: Any, **options: Any) -> Tensor:
        step = step_of(options["transformer_options"])
        if seen and step < seen[-1][0]:
            alive.append(sum(known() is not None for _, known in seen))
        seen.append((step, weakref.ref(q)))
        return function(q, *arguments, **options)

    guided.model_options["transformer_options"]["optimized_attention_override"] = watch
    sample(guided, setup, run)
    assert alive == [0]
