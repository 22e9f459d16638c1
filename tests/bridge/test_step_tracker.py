"""Which of a sampler's model calls is about its state: a shift made there acts as if the state itself had been shifted."""

from __future__ import annotations

from typing import Any

import comfy.k_diffusion.sampling
import comfy.sample
import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_custom_sampler import SamplerSASolver
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.sampling.latent_offset import decay_of
from headcount.bridge.sampling.steered_sampler import run_sampler, sampler_function
from headcount.bridge.sampling.step_tracker import KEEPS_STATE, StepTracker, known_name
from headcount.core.errors import CountError

from ..helpers.models import CPU, Run, Setup, sample, sample_advanced, smallest
from ..helpers.readme_blocks import check_block
from ..helpers.sampler_table import measure, noiseless_shift, sampler_table, shifted_run

SMALL = Run(steps=6, size=(8, 8))
EVERY_STEP = IsacSettings("paper", "relative", 0.02, end_percent=1.0)
ALMOST = ("ipndm_v",)  # its own coefficients of order 4 do not add up to 1
OF_NEWER_VERSIONS = {"sample_cfgpp_ud10_ab"}


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_a_shift_lands_on_the_state(sampler: str) -> None:
    result = measure(sampler)
    if sampler in ALMOST:
        assert 0.99 < result.least < result.most < 1.001
    else:
        assert result.result == "exact", result


def test_the_table_of_the_readme() -> None:
    check_block("samplers", sampler_table())


@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_the_gate_opens_once_a_step(sampler: str, flow: bool) -> None:
    opened = shifted_run(sampler, flow, None).opened
    levels = [level for _, level in opened]
    assert [step for step, _ in opened] == list(range(len(opened))) and levels == sorted(levels, reverse=True)
    if not sampler.startswith(("dpm_fast", "dpm_adaptive")):
        assert len(opened) == 7, "every step, the last one too"


@pytest.mark.parametrize("steps", range(1, 9))
def test_dpm_fast_divides_its_calls_among_steps(steps: int) -> None:
    """It stands at the lower end of one step where the next one begins: noise levels fall evenly in their logarithm."""
    setup, levels = smallest(False), []

    def follow(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        def note(x: torch.Tensor, sigma: torch.Tensor, options: dict[str, Any], step: int) -> dict[str, Any]:
            levels.append(float(sigma[0].log()))
            return options

        return run_sampler(executor, guider, sigmas, extra_args, callback, *rest, before_step=note, node="this test")

    model = setup.model.clone()
    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "test", follow)
    sample(model, setup, Run("dpm_fast", steps=steps, size=(4, 4)))
    assert len(levels) == steps // 3 + 1
    falls = torch.tensor(levels).diff()
    torch.testing.assert_close(falls, falls[:1].expand_as(falls), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_sde", "seeds_3", "uni_pc", "sa_solver_pece"])
def test_two_nodes_in_one_run_both_find_the_state(sampler: str) -> None:
    """The second one gets a swapped sampler function: it still has to know the sampler."""
    twice = shifted_run(sampler, False, 1, steer=2)
    plain = shifted_run(sampler, False, None).mean
    assert len(twice.opened) == 14
    assert twice.mean - plain == pytest.approx(2 * (shifted_run(sampler, False, 1).mean - plain), rel=1e-3)


def someone_elses(sampler: str, copies: bool = False) -> comfy.samplers.KSAMPLER:
    """A sampler as a pack of another author brings it; `copies`: it asks about copies of its state."""
    original = getattr(comfy.k_diffusion.sampling, f"sample_{sampler}")

    class Copying:
        def __init__(self, model: Any) -> None:
            self.inner_model = model.inner_model
            self._model = model

        def __call__(self, x: torch.Tensor, sigma: torch.Tensor, **options: Any) -> torch.Tensor:
            return self._model(x * 1.0, sigma, **options)

    def sample_theirs(model, x, sigmas, **options):  # noqa: ANN001, ANN202 - k-diffusion's signature
        return original(Copying(model) if copies else model, x, sigmas, **options)

    return comfy.samplers.KSAMPLER(sample_theirs)


def steered_by(setup: Setup, sampler: comfy.samplers.KSAMPLER, patched: bool = True) -> torch.Tensor:
    model = with_isac(setup.model, EVERY_STEP)[0] if patched else setup.model
    with torch.inference_mode():
        latent = torch.zeros(1, 4, 8, 8)
        sampling = model.get_model_object("model_sampling")
        return comfy.samplers.sample(
            model,
            comfy.sample.prepare_noise(latent, 3),
            setup.positive,
            setup.negative,
            3.0,
            CPU,
            sampler,
            comfy.samplers.calculate_sigmas(sampling, "normal", 4),
            model.model_options,
            latent_image=latent,
            disable_pbar=True,
            seed=3,
        )


@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
@pytest.mark.parametrize("copies", [False, True], ids=["its state", "copies"])
@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m"])
def test_a_change_beside_the_sampler_is_as_good_as_one_of_its_state(sampler: str, copies: bool, flow: bool) -> None:
    """A real run, twice: ComfyUI's own sampler, changed in place; the same one as a pack of another author brings it."""
    setup = smallest(flow)
    expected = steered_by(setup, comfy.samplers.ksampler(sampler))
    found = steered_by(setup, someone_elses(sampler, copies))
    torch.testing.assert_close(found, expected, rtol=2e-3, atol=1e-3)
    assert (expected - steered_by(setup, comfy.samplers.ksampler(sampler), patched=False)).abs().max() > 0.1


@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
@pytest.mark.parametrize("copies", [False, True], ids=["its state", "copies"])
@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm_2", "dpmpp_2m", "lms", "deis"])
def test_samplers_of_other_packs(sampler: str, copies: bool, flow: bool) -> None:
    """Whatever they do with their states, a shift arrives in the right direction, and mostly all of it."""
    theirs = someone_elses(sampler, copies)
    plain = shifted_run(theirs, flow, None)
    assert [step for step, _ in plain.opened] == list(range(7))
    for at in (0, 1, 4):
        share = (shifted_run(theirs, flow, at).mean - plain.mean) / noiseless_shift(plain, flow, at)
        if copies or sampler in ("euler", "heun", "dpm_2", "dpmpp_2m"):
            assert share == pytest.approx(1, rel=1e-3)
        else:
            assert 0.5 < share < 1.5, "it remembers slopes, and its state is changed all the same"


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2s_ancestral", "dpmpp_sde", "seeds_2", "euler"])
def test_an_unknown_name_is_learnt(sampler: str) -> None:
    """Without the table the place of the state call shows at the second callback."""
    gates = {"learnt": StepTracker("", 6), "known": StepTracker(f"sample_{sampler}", 6)}
    opened: dict[str, list[tuple[int, float, int]]] = {"learnt": [], "known": []}
    setup = smallest(False)
    model = setup.model.clone()

    def follow(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        original = executor.class_obj.sampler_function

        class Listening:
            def __init__(self, real: Any) -> None:
                self.real = real

            def __getattr__(self, name: str) -> Any:
                return getattr(self.real, name)

            def __call__(self, x: torch.Tensor, sigma: torch.Tensor, **options: Any) -> torch.Tensor:
                for name, gate in gates.items():
                    if gate.is_state(x):
                        opened[name].append((gate.step, float(sigma[0]), x.data_ptr()))
                return self.real(x, sigma, **options)

        def done(step: int, denoised: torch.Tensor, x: torch.Tensor, total: int) -> None:
            for gate in gates.values():
                gate.step_done(x)

        executor.class_obj.sampler_function = lambda real, *args, **options: original(Listening(real), *args, **options)
        return executor(guider, sigmas, extra_args, done, *rest)

    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "test", follow)
    sample(model, setup, Run(sampler, steps=6, size=(8, 8)))
    assert [step for step, *_ in opened["known"]] == list(range(6))
    assert opened["learnt"][2:] == opened["known"][2:]
    assert not gates["learnt"].beside and not gates["known"].beside


def test_a_sampler_that_asks_about_copies_is_noticed() -> None:
    gate = StepTracker("", 4)
    state, copy = torch.zeros(2), torch.zeros(2)
    assert gate.is_state(copy) and gate.beside
    for _ in range(3):
        gate.step_done(state)
        assert gate.is_state(copy) and gate.beside


def test_memory_that_comes_back_as_another_tensor_is_not_mistaken() -> None:
    gate = StepTracker("", 4)
    for _ in range(3):
        gate.is_state(torch.zeros(1 << 16))
        gate.step_done(torch.zeros(1 << 16))
    assert gate.beside


@pytest.mark.parametrize("sampler", comfy.samplers.SAMPLER_NAMES)
def test_watching_changes_nothing(sampler: str) -> None:
    """The recorder's picture is the same to the bit, and something was recorded."""
    setup = smallest(False)
    model, maps = with_recorder(setup.model)
    run = Run(sampler, steps=4, size=(4, 4))
    samples = sample(model, setup, run)
    assert torch.equal(samples, sample(setup.model, setup, run))
    record, belongs = maps.record_for(samples)
    assert belongs and record.steps[0].step == 0
    if not sampler.startswith(("dpm_fast", "dpm_adaptive")):
        assert len(record.steps) in (3, 4), "KSampler takes a step off some samplers"


def test_options_of_a_sampler_node_are_heard() -> None:
    """Sampler SA Solver brings its own interval of noise: where it adds none, a move decays with the noise level."""
    setup = smallest(False)
    (sampler,) = SamplerSASolver.execute(setup.model, 0.0, 0.2, 0.8, 1.0, 3, 4, False, False).args
    model = type("Inner", (), {"inner_model": type("Guider", (), {"model_patcher": setup.model})})
    sigmas = torch.tensor([10.0, 5.0, 2.0, 1.0])
    quiet = decay_of("sample_sa_solver", model, sigmas, sampler.extra_options)
    noisy = decay_of("sample_sa_solver", model, sigmas, {})
    assert quiet(10.0, 2.0) == pytest.approx(0.2)
    assert noisy(10.0, 2.0) < 0.19
    assert noisy(10.0, 2.0) * noisy(2.0, 1.0) == pytest.approx(noisy(10.0, 1.0))


class Foreign(comfy.samplers.Sampler):
    """A sampler that is no k-diffusion function."""


def test_samplers_of_another_kind_are_refused() -> None:
    with pytest.raises(CountError, match=r"Count Control works with .* Foreign is of another. Choose another"):
        sampler_function(Foreign(), "Count Control")


def test_a_sampler_that_splits_the_picture_is_refused() -> None:
    def in_halves(model, x, sigmas, extra_args, callback, disable):  # noqa: ANN001, ANN202 - k-diffusion's signature
        for index in range(len(sigmas) - 1):
            level = sigmas[index] * x.new_ones([x.shape[0]])
            x = torch.cat([model(half, level, **extra_args) for half in x.chunk(2, dim=-1)], dim=-1)
            callback({"x": x, "i": index, "denoised": x})
        return x

    with pytest.raises(CountError, match=r"Count Control cannot follow this sampler: .* another size"):
        steered_by(smallest(False), comfy.samplers.KSAMPLER(in_halves))


def test_every_name_in_the_tables_exists() -> None:
    """The tables name functions by hand: those that ComfyUI still has are among them."""
    names = {known_name(comfy.samplers.sampler_object(name).sampler_function) for name in comfy.samplers.SAMPLER_NAMES}
    assert set(KEEPS_STATE) - OF_NEWER_VERSIONS <= names and "" not in names


def test_the_cached_sampler_object_comes_back() -> None:
    setup = smallest(False)
    model, _ = with_isac(setup.model, EVERY_STEP)
    assert torch.isfinite(sample_advanced(model, setup, Run("uni_pc", size=(8, 8)))).all()
