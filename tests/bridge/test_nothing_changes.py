"""What must stay the same: pictures without steering, the model after a run, an error or a cancel, random numbers."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import asdict

import comfy.model_management
import comfy.samplers
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.maps import EmptyRun
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY, Counts
from headcount.nodes.isac_attention_control import IsacAttentionControl

from ..helpers.models import SMALLEST_UNET, Run, Setup, random_state_after, sample, shapes_setup, tiny_setup, weights_of

SETUPS = {"shapes": shapes_setup, "eps": lambda: tiny_setup(unet=SMALLEST_UNET)}
STEERED = IsacSettings("paper", "relative", 0.02, end_percent=1.0)  # every step, on a model with random weights too
STRENGTH_1 = {**asdict(STEERED), "spacing": 0.0, "strength": 1.0}


@pytest.fixture(params=sorted(SETUPS), scope="module")
def setup(request: pytest.FixtureRequest) -> Setup:
    return SETUPS[request.param]()


@pytest.fixture(scope="module")
def plain(setup: Setup) -> torch.Tensor:
    return sample(setup.model, setup)


@pytest.mark.parametrize(
    "options",
    [
        {"strength": 0.0},
        {"step_size": 0.0},
        {"start_percent": 0.5, "end_percent": 0.5},
        {"start_percent": 0.6, "end_percent": 0.2},
        {"end_percent": 0.0},
    ],
)
def test_no_step_means_the_same_picture(setup: Setup, plain: torch.Tensor, options: dict[str, float]) -> None:
    model, maps = IsacAttentionControl.execute(setup.model, **{**STRENGTH_1, **options}).args
    samples = sample(model, setup)
    assert torch.equal(samples, plain)
    assert len(maps.record_for(samples)[0].steps) == 3, "and is still recorded"


@pytest.mark.parametrize(
    "sampler", ["euler", "heun", "dpmpp_2m", "dpmpp_sde", "ddim", "lcm", "dpm_2_ancestral", "uni_pc"]
)
def test_recorder_changes_nothing(sampler: str) -> None:
    setup = shapes_setup()
    recorded, maps = with_recorder(setup.model)
    samples = sample(recorded, setup, Run(sampler))
    assert torch.equal(samples, sample(setup.model, setup, Run(sampler)))
    record, belongs = maps.record_for(samples)
    assert belongs and [step.step for step in record.steps] == [0, 1, 2]
    sigmas = [step.sigma for step in record.steps]
    assert sigmas == sorted(sigmas, reverse=True)


@pytest.mark.parametrize("patch", [with_recorder, lambda model: with_isac(model, STEERED)])
def test_empty_counts_change_nothing(setup: Setup, plain: torch.Tensor, patch) -> None:
    nothing = Counts("", (), setup.counts.tokens, setup.counts.lengths)
    positive = [[text, {**options, CONDITIONING_KEY: nothing}] for text, options in setup.positive]
    model, maps = patch(setup.model)
    samples = sample(model, setup, positive=positive)
    assert torch.equal(samples, plain)
    left, belongs = maps.record_for(samples)
    assert isinstance(left, EmptyRun) and belongs


def test_the_unpatched_model_stays_as_it_is(setup: Setup, plain: torch.Tensor) -> None:
    options, weights = repr(setup.model.model_options), weights_of(setup.model)
    model, _ = with_isac(setup.model, STEERED)
    assert not torch.equal(sample(model, setup), plain)
    assert repr(setup.model.model_options) == options
    assert weights_of(setup.model) == weights
    assert all(value.is_inference() for value in setup.model.model.diffusion_model.parameters())
    assert torch.equal(sample(setup.model, setup), plain)


def test_the_same_seed_gives_the_same_picture(setup: Setup) -> None:
    model, _ = with_isac(setup.model, STEERED)
    first = sample(model, setup)
    torch.manual_seed(12345)
    assert torch.equal(sample(model, setup), first)
    again, _ = with_isac(setup.model, STEERED)
    assert torch.equal(sample(again, setup), first)


@pytest.mark.parametrize("patch", [with_recorder, lambda model: with_isac(model, STEERED)])
def test_no_global_random_numbers(setup: Setup, patch) -> None:
    model, _ = patch(setup.model)
    without = random_state_after(lambda: sample(setup.model, setup))
    assert random_state_after(lambda: sample(model, setup)) == without


class Broken(RuntimeError):
    """Stands for whatever goes wrong inside a run."""


def error_in_callback(step: int, *_: object) -> None:
    if step == 0:
        raise Broken


def cancel_in_callback(step: int, *_: object) -> None:
    if step == 0:
        comfy.model_management.interrupt_current_processing()


@pytest.mark.parametrize("patch", [with_recorder, lambda model: with_isac(model, STEERED)])
@pytest.mark.parametrize("sampler", ["euler", "uni_pc"])  # its state changed in place, and beside it
def test_nothing_stays_after_an_error_or_a_cancel(setup: Setup, plain: torch.Tensor, patch, sampler: str) -> None:
    weights, run = weights_of(setup.model), Run(sampler, steps=2)
    whole = sample(patch(setup.model)[0], setup, run)
    for callback, error in (
        (error_in_callback, Broken),
        (cancel_in_callback, comfy.model_management.InterruptProcessingException),
    ):
        model, maps = patch(setup.model)
        with pytest.raises(error):
            sample(model, setup, run, callback=callback)
        assert not comfy.model_management.processing_interrupted()
        assert weights_of(setup.model) == weights
        with pytest.raises(CountError, match="no attention was recorded"):
            maps.record_for(plain)
        assert torch.equal(sample(setup.model, setup), plain)
        assert torch.equal(sample(model, setup, run), whole), "the next run is as good as a fresh one"


@pytest.mark.parametrize("error", [Broken, torch.OutOfMemoryError])
def test_nothing_stays_after_an_error_inside_the_model(
    plain_tiny: tuple[Setup, torch.Tensor], error: type[Exception], caplog: pytest.LogCaptureFixture
) -> None:
    """Raised in the gradient's own forward pass, while the weights are swapped."""
    setup, plain = plain_tiny
    weights = weights_of(setup.model)
    model, _ = with_isac(setup.model, STEERED)
    middle = setup.model.model.diffusion_model.middle_block[0]
    seen = []

    def fail_while_differentiating(*_: object) -> None:
        if torch.is_grad_enabled():
            seen.append(next(middle.parameters()).is_inference())
            raise error

    hook = middle.register_forward_pre_hook(fail_while_differentiating)
    # Without memory for the gradient a run goes on unsteered, and the log says so; everything else is an error.
    survives = error is torch.OutOfMemoryError
    try:
        with nullcontext() if survives else pytest.raises(error):
            assert torch.equal(sample(model, setup), plain)
    finally:
        hook.remove()
    assert seen and not any(seen)
    assert ("not enough memory for the gradient" in caplog.text) == survives
    assert weights_of(setup.model) == weights
    assert torch.equal(sample(setup.model, setup), plain)


@pytest.fixture(scope="module")
def plain_tiny() -> tuple[Setup, torch.Tensor]:
    setup = tiny_setup()
    return setup, sample(setup.model, setup)


def test_cancel_acts_within_a_step() -> None:
    """The flag that is set during one step stops the run before the model is asked again."""
    setup = tiny_setup()
    model, _ = with_isac(setup.model, STEERED)
    calls = []

    def callback(step: int, *_: object) -> None:
        calls.append(step)
        comfy.model_management.interrupt_current_processing()

    with pytest.raises(comfy.model_management.InterruptProcessingException):
        sample(model, setup, callback=callback)
    assert calls == [0]


def test_sampler_objects_come_back_as_they_were() -> None:
    """SAMPLER objects are shared between runs, so the function in them is swapped for one run only."""
    setup = tiny_setup()
    sampler = comfy.samplers.sampler_object("euler")
    before = sampler.sampler_function
    sigmas = comfy.samplers.calculate_sigmas(setup.model.get_model_object("model_sampling"), "normal", 2)
    for callback in (None, error_in_callback):
        model, _ = with_isac(setup.model, STEERED)
        with torch.inference_mode():
            latent = torch.zeros(1, 4, 8, 8)
            arguments = (setup.positive, setup.negative, 3.0, torch.device("cpu"), sampler, sigmas, model.model_options)
            options = {"latent_image": latent, "callback": callback, "disable_pbar": True, "seed": 1}
            if callback is None:
                comfy.samplers.sample(model, torch.randn(1, 4, 8, 8), *arguments, **options)
            else:
                with pytest.raises(Broken):
                    comfy.samplers.sample(model, torch.randn(1, 4, 8, 8), *arguments, **options)
        assert sampler.sampler_function is before


def test_callbacks_and_previews_stay() -> None:
    """One callback a step, with the step's own values, as without the node."""
    setup = shapes_setup()
    seen: dict[str, list[tuple[int, int]]] = {"plain": [], "steered": []}
    for name, model in (("plain", setup.model), ("steered", with_isac(setup.model, STEERED)[0])):

        def callback(step, denoised, x, total, log=seen[name]) -> None:  # noqa: ANN001
            assert denoised.shape == x.shape == (1, 8, 16, 16)
            log.append((step, total))

        sample(model, setup, callback=callback)
    assert seen["plain"] == seen["steered"] == [(0, 3), (1, 3), (2, 3)]
