"""Which of a sampler's model calls is about its state: a shift made there acts as if the state itself had been shifted.

A denoiser that always answers 0 makes every sampler linear in its state, so a shift of the state at step k must change the
result exactly as the rest of the run changes when it starts from the shift.
"""

from __future__ import annotations

from typing import Any

import comfy.samplers
import pytest
import torch
from comfy.patcher_extension import WrappersMP
from headcount.bridge.isac import IsacSettings, with_isac
from headcount.bridge.recorder import with_recorder
from headcount.bridge.state_gate import UNSUPPORTED, StateGate
from headcount.bridge.steered_sampler import run_sampler, sampler_function
from headcount.core.errors import CountError

from ..helpers.models import CPU, Run, sample, shared_tiny

SIZE = (1, 4, 4, 4)
SHIFT = 0.5
EXACT = (
    "euler",
    "euler_ancestral",
    "ddim",
    "dpm_2",
    "dpm_2_ancestral",
    "heun",
    "heunpp2",
    "dpmpp_2m",
    "dpmpp_2m_sde",
    "dpmpp_3m_sde",
    "dpmpp_2s_ancestral",
    "dpmpp_sde",
    "ddpm",
    "lcm",
    "res_multistep",
    "seeds_2",
    "seeds_3",
)
# They keep a history of slopes, so that a shift gets through in part or overshoots; it goes the right way.
PARTLY = ("lms", "ipndm", "deis")
REFUSED = ("uni_pc", "uni_pc_bh2", "dpm_fast", "dpm_adaptive")


def run(
    sampler: str, flow: bool, at: int | None, first: int = 0, state: float = 0.0, steer: int = 1
) -> tuple[float, int]:
    """Mean of the last state, and how often the gate opened; `at` is the step at which the state is shifted."""
    setup = shared_tiny(flow)
    model = setup.model.clone()
    opened = []

    def shift(x: torch.Tensor, sigma: torch.Tensor, options: dict[str, Any], step: int) -> dict[str, Any]:
        opened.append(step)
        if step == at:
            x.add_(SHIFT)
        return options

    def steered(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        return run_sampler(executor, guider, sigmas, extra_args, callback, *rest, at_state=shift, node="this test")

    for index in range(steer):
        model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, f"test {index}", steered)
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "test", lambda executor, x, *rest: torch.zeros_like(x))
    sampling = model.get_model_object("model_sampling")
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple" if flow else "normal", 10)[first:8]  # ends above 0
    noise = torch.full(SIZE, state / float(sigmas[0]))
    with torch.inference_mode():
        out = comfy.samplers.sample(
            model,
            noise,
            setup.positive,
            setup.negative,
            1.0,
            CPU,
            comfy.samplers.sampler_object(sampler),
            sigmas,
            model.model_options,
            latent_image=torch.zeros(SIZE),
            disable_pbar=True,
            seed=1,
        )
    return float(setup.model.model.process_latent_in(out).mean()), len(opened)


@pytest.mark.parametrize("flow", [False, True], ids=["eps", "flow"])
@pytest.mark.parametrize("sampler", EXACT)
def test_a_shift_lands_on_the_state(sampler: str, flow: bool) -> None:
    for at in (1, 3):  # the table knows the first one, what was learnt the second
        shifted, opened = run(sampler, flow, at)
        moved = shifted - run(sampler, flow, None)[0]
        expected = run(sampler, flow, None, at, SHIFT)[0] - run(sampler, flow, None, at)[0]
        assert moved == pytest.approx(expected, rel=1e-3, abs=1e-6)
        assert opened == (6 if sampler == "heunpp2" else 7), "once a step; heunpp2's last step is another sampler's"


@pytest.mark.parametrize("sampler", PARTLY)
def test_samplers_with_a_history_go_the_right_way(sampler: str) -> None:
    moved = run(sampler, False, 3)[0] - run(sampler, False, None)[0]
    expected = run(sampler, False, None, 3, SHIFT)[0] - run(sampler, False, None, 3)[0]
    assert 0.3 * expected < moved < 2 * expected


@pytest.mark.parametrize("sampler", ["heun", "dpmpp_sde", "seeds_3"])
def test_two_nodes_in_one_run_both_find_the_state(sampler: str) -> None:
    """The second one gets a swapped sampler function: it still has to know the sampler."""
    twice, opened = run(sampler, False, 1, steer=2)
    plain = run(sampler, False, None)[0]
    assert opened == 14
    assert twice - plain == pytest.approx(2 * (run(sampler, False, 1)[0] - plain), rel=1e-3)


@pytest.mark.parametrize("sampler", ["heun", "dpm_2", "dpmpp_2s_ancestral", "dpmpp_sde", "seeds_2", "euler"])
def test_an_unknown_name_is_learnt(sampler: str) -> None:
    """Without the table the place of the state call shows at the second callback."""
    gate, known = StateGate("someone_elses_sampler"), StateGate(f"sample_{sampler}")
    setup = shared_tiny(False)
    model = setup.model.clone()
    opened: dict[str, list[int]] = {"learnt": [], "known": []}

    def follow(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        original = executor.class_obj.sampler_function

        class Listening:
            def __init__(self, real: Any) -> None:
                self.real = real

            def __getattr__(self, name: str) -> Any:
                return getattr(self.real, name)

            def __call__(self, x: torch.Tensor, sigma: torch.Tensor, **options: Any) -> torch.Tensor:
                for name, one in (("learnt", gate), ("known", known)):
                    if one.is_state(x):
                        opened[name].append((one.step, float(sigma[0]), x.data_ptr()))
                return self.real(x, sigma, **options)

        def done(step: int, denoised: torch.Tensor, x: torch.Tensor, total: int) -> None:
            gate.step_done(x)
            known.step_done(x)

        executor.class_obj.sampler_function = lambda real, *args, **options: original(Listening(real), *args, **options)
        return executor(guider, sigmas, extra_args, done, *rest)

    model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, "test", follow)
    sample(model, setup, Run(sampler, steps=6, size=(8, 8)))
    assert [step for step, *_ in opened["known"]] == list(range(6))
    assert opened["learnt"][2:] == opened["known"][2:]
    assert not gate.lost and not known.lost


def test_a_sampler_that_asks_about_copies_is_noticed() -> None:
    gate = StateGate("someone_elses_sampler")
    state, copy = torch.zeros(2), torch.zeros(2)
    assert gate.is_state(copy)
    gate.step_done(state)
    assert gate.lost
    assert not gate.is_state(copy), "a copy is moved once at most"


@pytest.mark.parametrize("patch", [with_recorder, lambda model: with_isac(model, IsacSettings())])
@pytest.mark.parametrize("sampler", REFUSED)
def test_refused_before_the_first_step(sampler: str, patch) -> None:
    setup = shared_tiny(False)
    asked = []
    model, _ = patch(setup.model)
    model.add_wrapper_with_key(WrappersMP.PREDICT_NOISE, "test", lambda executor, x, *rest: asked.append(1))
    with pytest.raises(
        CountError, match=r"cannot steer this sampler .* because it .*Choose another one, such as euler"
    ):
        sample(model, setup, Run(sampler, size=(8, 8)))
    assert asked == []


def test_samplers_of_another_kind_are_refused() -> None:
    with pytest.raises(
        CountError, match="ISAC Attention Control works with ComfyUI's own samplers; Sampler is of another"
    ):
        sampler_function(comfy.samplers.Sampler(), "ISAC Attention Control")


def test_every_refused_name_exists() -> None:
    """The table names functions by hand: those that ComfyUI still has are among them."""
    names = {comfy.samplers.sampler_object(name).sampler_function.__name__ for name in REFUSED}
    assert names <= set(UNSUPPORTED)
