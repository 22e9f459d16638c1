"""Tells which of a sampler's model calls asks about the sampler's state.

A k-diffusion sampler of higher order also asks about points in between, and moving one of those would push the picture
the wrong way. Samplers report their state to the callback after each step, as the very tensor that they asked about:
so the place of the state call among the calls between two callbacks can be learnt from the second callback on.
"""

from __future__ import annotations

from torch import Tensor

_CALLS_BEFORE_STATE = {
    "sample_heun": 1,
    "sample_heunpp2": 2,  # 1 before its very last step, which is therefore passed over
    "sample_dpm_2": 1,
    "sample_dpm_2_ancestral": 1,
    "sample_dpmpp_2s_ancestral": 1,
    "sample_dpmpp_2s_ancestral_cfg_pp": 1,
    "sample_dpmpp_sde": 1,
    "sample_dpmpp_sde_gpu": 1,
    "sample_seeds_2": 1,
    "sample_seeds_3": 2,
    "sample_sa_solver_pece": 1,
}

UNSUPPORTED = {
    "sample_unipc": "it asks about a rescaled copy of its state",
    "sample_unipc_bh2": "it asks about a rescaled copy of its state",
    "dpm_fast_function": "it chooses its own noise levels",
    "dpm_adaptive_function": "it chooses its own noise levels",
    "sample_dpm_fast": "it chooses its own noise levels",
    "sample_dpm_adaptive": "it chooses its own noise levels",
}


class StateGate:
    """Follows one run of one sampler.

    Args:
        sampler_name: name of the sampler function, such as "sample_heun"; unknown names start as first-order samplers.

    Attributes:
        step: index of the step that the sampler is in, from 0.
        lost: True once the sampler turned out to ask about copies of its state.
    """

    def __init__(self, sampler_name: str) -> None:
        self.step = 0
        self.lost = False
        self._before_state = _CALLS_BEFORE_STATE.get(sampler_name, 0)
        self._calls: list[int] = []

    def is_state(self, x: Tensor) -> bool:
        """Register a model call; True when `x` is the sampler's state, at most once a step."""
        index = len(self._calls)
        self._calls.append(x.data_ptr())
        return not self.lost and index == (0 if self.step == 0 else self._before_state)

    def step_done(self, x: Tensor) -> None:
        """Register the callback at the end of a step, with the state that the sampler reports."""
        asked = [index for index, pointer in enumerate(self._calls) if pointer == x.data_ptr()]
        if self.step == 0:
            self.lost = not asked
        elif asked:
            self._before_state = asked[-1]
        self._calls = []
        self.step += 1
