"""ISAC in the runs that users make: any sampler, batches, sizes, masks, image to image, regions, patches."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens

import nodes as comfy_nodes

from ..helpers.models import Run, Setup, sample, sample_advanced, shapes_setup, smallest, tiny_counts, tiny_setup

SAMPLERS = ("euler", "euler_ancestral", "dpmpp_2m", "dpmpp_sde", "heun", "ddim", "lcm", "uni_pc", "sa_solver", "lms")
SMALL = Run(size=(8, 8))
# The paper's losses are never zero, so that every step of a model with random weights is steered.
EVERY_STEP = IsacSettings("paper", "relative", 0.02, end_percent=1.0)


@pytest.fixture(scope="module")
def tiny() -> Setup:
    return tiny_setup()


def steered(setup: Setup, run: Run = SMALL, settings: IsacSettings = EVERY_STEP, **options: Any) -> torch.Tensor:
    """Samples of a steered run; checks on the way that each step was steered and that it made a difference."""
    model, maps = with_isac(setup.model, settings)
    samples = sample(model, setup, run, **options)
    assert torch.isfinite(samples).all()
    record, belongs = maps.record_for(samples)
    assert belongs and [step.step for step in record.steps] == list(range(run.steps))
    assert not torch.equal(samples, sample(setup.model, setup, run, **options))
    return samples


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_ksampler(sampler: str, tiny: Setup) -> None:
    steered(tiny, Run(sampler, size=(8, 8)))


@pytest.mark.parametrize("sampler", SAMPLERS)
def test_custom_sampler(sampler: str, tiny: Setup) -> None:
    run = Run(sampler, size=(8, 8))
    model, maps = with_isac(tiny.model, EVERY_STEP)
    samples = sample_advanced(model, tiny, run)
    assert torch.isfinite(samples).all()
    record, belongs = maps.record_for(samples)
    assert belongs and len(record.steps) == run.steps
    assert not torch.equal(samples, sample_advanced(tiny.model, tiny, run))


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m_sde", "heun"])
def test_shapes_model(sampler: str) -> None:
    steered(shapes_setup(), Run(sampler, steps=2), IsacSettings(end_percent=1.0))


@pytest.mark.parametrize("objective", ["anchored", "paper"])
@pytest.mark.parametrize("mode", ["relative", "paper"])
def test_every_objective_and_step_mode(objective: Any, mode: Any) -> None:
    steered(shapes_setup(), Run(steps=2), IsacSettings(objective, mode, end_percent=1.0))


@pytest.mark.parametrize("size", [(12, 8), (9, 7), (17, 13)])
def test_any_size(size: tuple[int, int], tiny: Setup) -> None:
    samples = steered(tiny, Run(steps=2, size=size))
    assert samples.shape[-2:] == size


def test_odd_size_of_the_shapes_model() -> None:
    steered(shapes_setup(), Run(steps=1, size=(17, 13)))


def test_a_batch_is_steered_picture_by_picture(tiny: Setup) -> None:
    together = steered(tiny, Run(size=(8, 8), batch=3))
    assert len({tuple(picture.flatten().tolist()) for picture in together}) == 3
    noise = comfy.sample.prepare_noise(torch.zeros(3, 4, 8, 8), SMALL.seed)
    model, _ = with_isac(tiny.model, EVERY_STEP)
    with torch.inference_mode():
        for item in range(3):
            alone = comfy.sample.sample(
                model,
                noise[[item]],
                SMALL.steps,
                SMALL.cfg,
                "euler",
                "normal",
                tiny.positive,
                tiny.negative,
                torch.zeros(1, 4, 8, 8),
                disable_pbar=True,
                seed=SMALL.seed,
            )
            torch.testing.assert_close(together[[item]], alone, rtol=1e-3, atol=1e-3)


def test_outside_of_inference_mode_the_picture_is_the_same(tiny: Setup) -> None:
    assert torch.equal(steered(tiny, inference=False), steered(tiny))


def test_weights_loaded_outside_of_inference_mode() -> None:
    assert torch.equal(steered(tiny_setup(inference=False)), steered(tiny_setup()))


def test_cfg_1(tiny: Setup) -> None:
    steered(tiny, Run(size=(8, 8), cfg=1.0))


def test_inpainting_moves_only_what_is_masked(tiny: Setup) -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1.0
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    samples = steered(tiny, Run(size=(8, 8), latent=latent, noise_mask=mask))
    torch.testing.assert_close(samples[..., 4:], latent[..., 4:], rtol=1e-3, atol=1e-3)
    plain = sample(tiny.model, tiny, Run(size=(8, 8), latent=latent, noise_mask=mask))
    assert (samples - plain)[..., :4].abs().max() > 1e-3


def test_image_to_image_starts_further_down_the_schedule(tiny: Setup, monkeypatch: pytest.MonkeyPatch) -> None:
    import headcount.bridge.isac.control as isac

    shares = []

    def spy(step: int, steps: int, noise_left: float, noise_end: float) -> Any:
        shares.append(noise_left)
        assert noise_end == 0
        return real(step, steps, noise_left, noise_end)

    real = isac.instance_to_class
    monkeypatch.setattr(isac, "instance_to_class", spy)
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    steered(tiny, Run(steps=4, size=(8, 8), latent=latent, denoise=0.6))
    assert set(shares) == {shares[0]} and 0.4 < shares[0] < 0.8
    steered(tiny)
    assert shares[-1] == pytest.approx(1.0)


@pytest.mark.parametrize(
    ("start", "end", "expected"), [(0.0, 0.5, {0, 1}), (0.5, 1.0, {2, 3}), (0.0, 1.0, {0, 1, 2, 3})]
)
def test_start_and_end_percent(start: float, end: float, expected: set[int], tiny: Setup) -> None:
    settings = replace(EVERY_STEP, start_percent=start, end_percent=end)
    model, maps = with_isac(tiny.model, settings)
    run = Run(steps=4, size=(8, 8), scheduler="simple")
    samples = sample(model, tiny, run)
    record = maps.record_for(samples)[0]
    assert len(record.steps) == 4, "all steps are recorded"
    found = {step.step for step in record.steps if step.instance_loss is not None}
    assert found & expected and found <= expected | {1, 2}


@pytest.mark.parametrize(("mode", "steered_steps"), [("fast", {1, 2, 3}), ("fast by noise", {1, 2})])
def test_fast_by_steps_and_by_noise(mode: Any, steered_steps: set[int], tiny: Setup) -> None:
    """Of ten exponential steps three are in the first 40 % of the way down the noise."""
    model, maps = with_isac(tiny.model, replace(EVERY_STEP, mode=mode))
    record = maps.record_for(sample(model, tiny, Run(steps=10, size=(8, 8), scheduler="exponential")))[0]
    assert {step.step for step in record.steps if step.instance_loss is not None} == steered_steps


def test_one_thing_is_nothing_to_separate() -> None:
    one = Counts("cat", (CountedObject("cat", 1),), {"l": (ObjectTokens((2,)),)}, {"l": 7})
    setup = tiny_setup(counts=one)
    model, maps = with_isac(setup.model, EVERY_STEP)
    samples = sample(model, setup, SMALL)
    assert torch.equal(samples, sample(setup.model, setup, SMALL))
    assert len(maps.record_for(samples)[0].steps) == SMALL.steps


def combined(setup: Setup, *, area: bool = False, mask: bool = False) -> list[list[Any]]:
    """Two counted conditionings, the second one for everything, the right half, or a mask."""
    other = torch.randn(1, 7, 24, generator=torch.Generator().manual_seed(5))
    second = [[other, {CONDITIONING_KEY: tiny_counts(3)}]]
    if area:
        (second,) = comfy_nodes.ConditioningSetArea().append(second, 32, 64, 32, 0, 1.0)
    if mask:
        half = torch.ones(1, 64, 64)
        half[..., :32] = 0
        (second,) = comfy_nodes.ConditioningSetMask().append(second, half, "default", 1.0)
    return comfy_nodes.ConditioningCombine().combine(setup.positive, second)[0]


@pytest.mark.parametrize("kind", [{}, {"area": True}, {"mask": True}], ids=["combined", "area", "mask"])
def test_several_conditionings(kind: dict[str, bool], tiny: Setup) -> None:
    with torch.inference_mode():
        positive = combined(tiny, **kind)
    both = steered(tiny, positive=positive)
    single = [positive[0], [positive[1][0], {k: v for k, v in positive[1][1].items() if k != CONDITIONING_KEY}]]
    assert not torch.equal(both, steered(tiny, positive=single)), "the second one steers too"


def test_a_conditioning_for_a_part_of_the_sampling(tiny: Setup) -> None:
    """Where the counted one is not active, nothing is steered and nothing breaks."""
    early = [[text, {**options, "start_percent": 0.0, "end_percent": 0.4}] for text, options in tiny.positive]
    late = [[tiny.negative[0][0], {"start_percent": 0.4, "end_percent": 1.0}]]
    model, maps = with_isac(tiny.model, EVERY_STEP)
    samples = sample(model, tiny, Run(steps=4, size=(8, 8)), positive=early + late)
    assert 1 <= len(maps.record_for(samples)[0].steps) < 4


@pytest.mark.parametrize("patch", [with_recorder, lambda model, counts=None: with_isac(model, EVERY_STEP, counts)])
def test_no_counts_anywhere(patch, tiny: Setup) -> None:
    bare = [[text, {}] for text, _ in tiny.positive]
    model, _ = patch(tiny.model)
    with pytest.raises(CountError, match=r"does not know where the words .* Encode it with Count Prompt and connect"):
        sample(model, tiny, SMALL, positive=bare)
    connected, _ = patch(tiny.model, tiny_counts())
    carried = sample(patch(tiny.model)[0], tiny, SMALL)
    assert torch.equal(sample(connected, tiny, SMALL, positive=bare), carried), "the COUNTS socket does the same"


def test_nouns_outside_of_the_context(tiny: Setup) -> None:
    far = Counts("cats", (CountedObject("cats", 2),), {"l": (ObjectTokens((70,)),)}, {"l": 77})
    positive = [[text, {CONDITIONING_KEY: far}] for text, _ in tiny.positive]
    model, _ = with_isac(tiny.model, EVERY_STEP)
    with pytest.raises(CountError, match=r"reads 7 text tokens, but the prompt of Count Prompt has 77"):
        sample(model, tiny, SMALL, positive=positive)


def lora(model: Any) -> Any:
    """A LoRA-style patch: differences of the weights of some layers."""
    patched = model.clone()
    generator = torch.Generator().manual_seed(8)
    names = [name for name, value in model.model.named_parameters() if name.endswith("to_k.weight")]
    differences = {
        name: ("diff", (torch.randn(model.model.state_dict()[name].shape, generator=generator),)) for name in names
    }
    assert set(patched.add_patches(differences, 0.5)) == set(names)
    return patched


def test_lora_before_or_after() -> None:
    setup = tiny_setup()
    plain = sample(setup.model, setup, SMALL)
    before = sample(with_isac(lora(setup.model), EVERY_STEP)[0], setup, SMALL)
    after = sample(lora(with_isac(setup.model, EVERY_STEP)[0]), setup, SMALL)
    assert torch.equal(before, after)
    assert not torch.equal(before, sample(lora(setup.model), setup, SMALL))
    assert not torch.equal(before, sample(with_isac(setup.model, EVERY_STEP)[0], setup, SMALL))
    assert torch.equal(sample(setup.model, setup, SMALL), plain), "the weights come back"


def test_recorder_and_isac_in_one_chain(tiny: Setup) -> None:
    expected = steered(tiny)
    for build in (
        lambda: with_recorder(with_isac(tiny.model, EVERY_STEP)[0]),
        lambda: with_isac(with_recorder(tiny.model)[0], EVERY_STEP),
    ):
        model, maps = build()
        samples = sample(model, tiny, SMALL)
        assert torch.equal(samples, expected)
        assert len(maps.record_for(samples)[0].steps) == SMALL.steps


@pytest.mark.parametrize("place", ["before", "after"])
def test_another_nodes_attention_stays_in_use(place: str, tiny: Setup) -> None:
    """Nodes such as Model Attention Backend assign the one slot for it, without looking."""
    used = []

    def other(function, *args: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN001
        used.append(1)
        return function(*args, **kwargs) * 0.9

    def with_other(model: Any) -> Any:
        patched = model.clone()
        patched.model_options["transformer_options"]["optimized_attention_override"] = other
        return patched

    alone = sample(with_other(tiny.model), tiny, SMALL)
    often = len(used)
    used.clear()
    if place == "before":
        model, maps = with_recorder(with_other(tiny.model))
    else:
        recorded, maps = with_recorder(tiny.model)
        model = with_other(recorded)
    samples = sample(model, tiny, SMALL)
    assert torch.equal(samples, alone) and len(used) == often > 0
    assert len(maps.record_for(samples)[0].steps) == SMALL.steps
    steered_model, _ = with_isac(with_other(tiny.model), EVERY_STEP)
    assert torch.isfinite(sample(steered_model, tiny, SMALL)).all()


def test_wrappers_of_other_nodes_keep_running(tiny: Setup) -> None:
    seen = []

    def other(executor, *args: Any, **kwargs: Any) -> torch.Tensor:  # noqa: ANN001
        seen.append(args[1].shape)
        return executor(*args, **kwargs)

    for first in (True, False):
        model = tiny.model.clone() if first else with_isac(tiny.model, EVERY_STEP)[0]
        model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "other", other)
        model = with_isac(model, EVERY_STEP)[0] if first else model
        assert torch.equal(sample(model, tiny, SMALL), steered(tiny))
    assert len(seen) == 2


def test_sampling_ends_early_without_steps(tiny: Setup) -> None:
    """KSampler Advanced with start after end, or denoise 0, gives no sigmas."""
    model, _ = with_isac(tiny.model, EVERY_STEP)
    latent = torch.randn(1, 4, 8, 8)
    assert torch.equal(sample(model, tiny, Run(latent=latent, denoise=0.0)), latent)


@pytest.mark.parametrize("name", comfy.samplers.SAMPLER_NAMES)
def test_every_sampler_of_comfyui_is_steered(name: str) -> None:
    setup, run = smallest(), Run(name, steps=2, size=(4, 4))
    model, maps = with_isac(setup.model, EVERY_STEP)
    samples = sample(model, setup, run)
    assert torch.isfinite(samples).all() and not torch.equal(samples, sample(setup.model, setup, run))
    assert all(step.instance_loss is not None for step in maps.record_for(samples)[0].steps)


@pytest.mark.parametrize("denoise", [1.0, 0.5])
def test_fast_steers_the_first_steps_of_a_run(denoise: float, tiny: Setup) -> None:
    """Of the run, not of the model's noise levels: a run that starts late would not be steered at all."""
    model, maps = with_isac(tiny.model, replace(EVERY_STEP, mode="fast"))
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    run = Run(steps=5, size=(8, 8), scheduler="simple", latent=latent, denoise=denoise)
    record = maps.record_for(sample(model, tiny, run))[0]
    assert [step.step for step in record.steps if step.instance_loss is not None] == [0, 1]
