"""Tells which of a sampler's model calls asks about the sampler's state, and whether that is the state itself.

A k-diffusion sampler of higher order also asks about points in between, and moving one of those would push the picture
the wrong way. Samplers report their state to the callback after each step, as the very tensor that they asked about:
so the place of the state call among the calls between two callbacks can be learnt from the second callback on.
"""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

_CALLS_BEFORE_STATE = {
    "sample_heun": 1,
    "sample_heunpp2": 2,
    "sample_dpm_2": 1,
    "sample_dpm_2_ancestral": 1,
    "sample_dpmpp_2s_ancestral": 1,
    "sample_dpmpp_2s_ancestral_cfg_pp": 1,
    "sample_dpmpp_sde": 1,
    "sample_dpmpp_sde_gpu": 1,
    "sample_seeds_2": 1,
    "sample_exp_heun_2_x0": 1,  # seeds_2 with other numbers
    "sample_exp_heun_2_x0_sde": 1,
    "sample_seeds_3": 2,
    "sample_sa_solver_pece": 1,
}

# Why changing the tensor that they ask about does not, or not rightly, change the state of these.
KEEPS_STATE = {
    "sample_unipc": "asks about a rescaled copy of its state",
    "sample_unipc_bh2": "asks about a rescaled copy of its state",
    "sample_sa_solver": "computes its state anew from the step before",
    "sample_sa_solver_pece": "computes its state anew from the step before",
    "dpm_fast_function": "has noise levels of its own",
    "dpm_adaptive_function": "has noise levels of its own",
    "sample_lms": "remembers slopes",
    "sample_ipndm": "remembers slopes",
    "sample_ipndm_v": "remembers slopes",
    "sample_deis": "remembers slopes",
    "sample_gradient_estimation": "remembers slopes",
    "sample_gradient_estimation_cfg_pp": "remembers slopes",
    "sample_cfgpp_ud10_ab": "remembers slopes",  # ComfyUI 0.35 and newer
}

_ASKS_FIRST = (
    "euler euler_cfg_pp euler_ancestral euler_ancestral_cfg_pp dpmpp_2m dpmpp_2m_cfg_pp dpmpp_2m_sde dpmpp_2m_sde_gpu "
    "dpmpp_2m_sde_heun dpmpp_2m_sde_heun_gpu dpmpp_3m_sde dpmpp_3m_sde_gpu ddpm lcm er_sde res_multistep "
    "res_multistep_cfg_pp res_multistep_ancestral res_multistep_ancestral_cfg_pp"
)
_KNOWN = frozenset({*_CALLS_BEFORE_STATE, *KEEPS_STATE, *(f"sample_{name}" for name in _ASKS_FIRST.split())})


def known_name(function: Callable[..., Tensor] | None) -> str:
    """Name of one of ComfyUI's own sampler functions, such as "sample_heun"; "" for newer ones and those of other packs."""
    name = getattr(function, "__name__", "")
    return name if name in _KNOWN and str(getattr(function, "__module__", "")).startswith("comfy.") else ""


class StepTracker:
    """Follows one run of one sampler.

    Args:
        name: the sampler's `known_name`.
        steps: how many steps the run has; what a sampler asks after the last one is about no state.

    Attributes:
        step: index of the step that the sampler is in, from 0.
    """

    def __init__(self, name: str, steps: int) -> None:
        self.step = 0
        self._name = name
        self._steps = steps
        self._reachable = name not in KEEPS_STATE
        self._before_state = _CALLS_BEFORE_STATE.get(name, 0)
        # Kept until the step is done: freed memory may come back as another tensor.
        self._calls: list[Tensor] = []

    @property
    def beside(self) -> bool:
        """True where changing the tensor that the sampler asks about would not, or not rightly, change its state.

        Samplers that are not known here are watched for two steps before they are trusted.
        """
        return not self._reachable or (not self._name and self.step < 2)

    def is_state(self, x: Tensor) -> bool:
        """Register a model call; True when it is the one about the state, once a step."""
        self._calls.append(x)
        takes_as_many_as_it_likes = self._name == "dpm_adaptive_function"
        is_over = self.step >= self._steps and not takes_as_many_as_it_likes
        return not is_over and len(self._calls) - 1 == self._place()

    def step_done(self, x: Tensor) -> None:
        """Register the callback at the end of a step, with the state that the sampler reports."""
        asked = [index for index, call in enumerate(self._calls) if call.data_ptr() == x.data_ptr()]
        if not self._name:
            self._reachable = self._reachable and bool(asked)
            if asked and self.step > 0:
                self._before_state = asked[-1]
        self._calls = []
        self.step += 1

    def _place(self) -> int:
        if self.step == 0:
            return 0
        if self._name == "sample_heunpp2" and self.step == self._steps - 1:
            return 1  # the step before its last one is of lower order
        if self._name == "sample_sa_solver_pece" and self.step == 1:
            return 0  # its first step has nothing to correct
        if self._name == "dpm_fast_function":
            return _order_in_dpm_fast(self.step - 1, self._steps) - 1
        return self._before_state


def _order_in_dpm_fast(step: int, calls: int) -> int:
    """How often dpm_fast asks the model in a step: thrice, and what is left of its budget of calls in the last ones."""
    left = calls - 3 * step
    return 2 if left == 3 else min(left, 3)
