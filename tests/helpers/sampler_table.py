"""How a change of the state arrives with each of ComfyUI's samplers, measured.

A denoiser that always answers 0 makes every sampler linear in its state, so that a shift of the state at step k must change
the result exactly as the rest of the run changes when it starts from the shift.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP
from headcount.bridge.sampling.steered_sampler import run_sampler, sampler_function
from headcount.core.errors import CountError

from .models import CPU, smallest

Result = Literal["exact", "approximate", "refused"]
SHIFT = 0.5
OWN_LEVELS = ("dpm_fast", "dpm_adaptive")
_SIZE = (1, 4, 4, 4)
_LAST = 8  # the schedule is cut here, since at noise level 0 every sampler answers 0
_EXACT = 1e-4


@dataclass(frozen=True)
class ShiftedRun:
    """Mean of the last state, and the (step, noise level) pairs at which the gate opened."""

    mean: float
    opened: tuple[tuple[int, float], ...]
    last_sigma: float


def sigmas_of(flow: bool) -> torch.Tensor:
    """The schedule of the measurement, ending above 0."""
    sampling = smallest(flow).model.get_model_object("model_sampling")
    return comfy.samplers.calculate_sigmas(sampling, "simple" if flow else "normal", 10)[:_LAST]


def shifted_run(
    sampler: str | comfy.samplers.KSAMPLER,
    flow: bool,
    at: int | None,
    first: int = 0,
    state: float = 0.0,
    steer: int = 1,
) -> ShiftedRun:
    """One run with a denoiser that answers 0.

    Args:
        at: the step at which the state is shifted by SHIFT; None for none.
        first: index of the schedule's noise level at which the run starts.
        state: what it starts from, besides noise.
        steer: how many nodes steer.
    """
    setup = smallest(flow)
    model = setup.model.clone()
    opened = []

    def shift(x: torch.Tensor, sigma: torch.Tensor, options: dict[str, Any], step: int) -> dict[str, Any]:
        opened.append((step, float(sigma[0])))
        if step == at:
            x.add_(SHIFT)
        return options

    def steered(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        sampler_function(executor.class_obj, "this test")
        return run_sampler(executor, guider, sigmas, extra_args, callback, *rest, before_step=shift, node="this test")

    def nothing(_: Any, x: torch.Tensor, *__: Any, **___: Any) -> torch.Tensor:
        return torch.zeros_like(x)

    for index in range(steer):
        model.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, f"test {index}", steered)
    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test", nothing)
    sigmas = sigmas_of(flow)[first:]
    with torch.inference_mode():
        out = comfy.samplers.sample(
            model,
            torch.full(_SIZE, state / float(sigmas[0])),
            setup.positive,
            setup.negative,
            1.0,
            CPU,
            comfy.samplers.sampler_object(sampler) if isinstance(sampler, str) else sampler,
            sigmas,
            model.model_options,
            latent_image=torch.zeros(_SIZE),
            disable_pbar=True,
            seed=1,
        )
    mean = float(setup.model.model.process_latent_in(out).mean())
    return ShiftedRun(mean, tuple(opened), float(sigmas[-1]))


def noiseless_shift(run: ShiftedRun, flow: bool, at: int) -> float:
    """What a shift at a step of this run becomes where no noise is added: dx/dsigma = x/sigma."""
    return SHIFT * run.last_sigma / dict(run.opened)[at] / (1 - run.last_sigma if flow else 1)


def expected_shift(sampler: str, flow: bool, at: int) -> float:
    """What a shift of the state at a step must change in the result."""
    if sampler in OWN_LEVELS:  # no run can start at their noise levels
        return noiseless_shift(shifted_run(sampler, flow, None), flow, at)
    return shifted_run(sampler, flow, None, at, SHIFT).mean - shifted_run(sampler, flow, None, at).mean


def arrives(sampler: str, flow: bool) -> list[float]:
    """Of a shift at each step, from the first to the last but one: the share that arrives."""
    plain = shifted_run(sampler, flow, None)
    steps = [step for step, _ in plain.opened]
    # From step 0 on there is nothing to compare with: noise of the first level is scaled in another way.
    return [
        _share(shifted_run(sampler, flow, at).mean - plain.mean, expected_shift(sampler, flow, at))
        for at in steps[1:-1]
    ]


def _share(moved: float, expected: float) -> float:
    if abs(expected) < 1e-6:  # such as lcm, which keeps nothing of its state but the model's answer
        return 1 + abs(moved)
    return moved / expected


@dataclass(frozen=True)
class SamplerResult:
    """One sampler's measurement: the least and the largest share of a shift that arrives, or why it is refused."""

    name: str
    result: Result
    least: float = 1.0
    most: float = 1.0
    reason: str = ""


@cache
def measure(sampler: str) -> SamplerResult:
    """Measure one sampler, on an eps and on a flow model.

    Raises:
        AssertionError: a shift arrives the wrong way round, or not at all.
    """
    try:
        shares = [share for flow in (False, True) for share in arrives(sampler, flow)]
    except CountError as refusal:
        return SamplerResult(sampler, "refused", reason=str(refusal))
    least, most = min(shares), max(shares)
    assert least > 0, f"{sampler}: a shift of the state goes the wrong way ({least:.2f} of it arrives)"
    exact = max(abs(least - 1), abs(most - 1)) < _EXACT
    return SamplerResult(sampler, "exact" if exact else "approximate", least, most)


def sampler_table() -> list[str]:
    """All of ComfyUI's samplers as rows of Markdown: result, samplers, remark."""
    results = [measure(name) for name in comfy.samplers.SAMPLER_NAMES]
    exact = [one.name for one in results if one.result == "exact"]
    approximate = [f"{one.name} ({one.least:.1%} to {one.most:.1%})" for one in results if one.result == "approximate"]
    refused = [f"{one.name} ({one.reason})" for one in results if one.result == "refused"]
    rows = {"exactly": exact, "in part, in the right direction": approximate, "not: refused": refused}
    return [
        f"| a step arrives | of ComfyUI's {len(results)} samplers |",
        "|---|---|",
        *(f"| {result} | {', '.join(names) or 'none'} |" for result, names in rows.items()),
    ]
