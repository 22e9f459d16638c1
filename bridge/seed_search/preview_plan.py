"""What is sampled of a seed for its preview."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...core.errors import CountError
from ..sampling.steered_sampler import is_steered
from .settings import LOOKS, SearchSettings

DRAFT_SAMPLER = "dpmpp_2m"
MIN_CALLS = 4
"""An image cannot be foreseen with fewer calls; images of models that need no more steps are previewed when done."""
DRAFT_UP_TO = 0.35
"""Share of the calls up to which a draft foresees the Shapes model's images better than own steps do, see `plan_for`."""

# They add no noise and solve the one equation that every seed's way follows, so that few large steps end near many small
# ones. Not cfg_pp: guidance enters it in another way, and another picture comes out.
_SAME_WAY = frozenset(
    "euler heun heunpp2 dpm_2 lms dpm_fast dpm_adaptive dpmpp_2m ipndm ipndm_v deis res_multistep gradient_estimation ddim "
    "uni_pc uni_pc_bh2".split()
)
# A picture of a batch gets what it gets alone: no noise is drawn, and no step size is chosen for the batch as a whole.
_SAME_IN_BATCH = _SAME_WAY - {"dpm_adaptive"} | {
    f"{name}_cfg_pp" for name in ("euler", "dpmpp_2m", "res_multistep", "gradient_estimation")
}


@dataclass(frozen=True)
class PreviewPlan:
    """The preview of one seed.

    Attributes:
        sampler: ComfyUI's name.
        sigmas: (n + 1,) noise levels, all of them: samplers derive their noise from the whole schedule.
        steps: after how many of the n steps the predicted clean latent is taken.
        together: whether seeds may share a batch.
        is_own: whether the sampler that makes the picture goes the very same steps.
    """

    sampler: str
    sigmas: Tensor
    steps: int
    together: bool
    is_own: bool


def plan_for(model: Any, settings: SearchSettings) -> PreviewPlan:
    """The preview that `settings` ask for.

    "draft" goes the whole way in few large steps of a solver of second order. "own steps" goes the sampler's first steps
    and takes the model's prediction of the clean image there. "auto" is the one that foresees the image better on the
    Shapes model: a draft where there are few calls and the sampler's own way leads to nearly the same picture; own steps
    where there are more, where the sampler adds noise, and where ISAC moves the latent in each of its steps.

    Raises:
        CountError: an unknown look, a share that is none, or a sampler that has no step to take.
    """
    if settings.look not in LOOKS:
        raise CountError(f"look is '{settings.look}'; it can be {', '.join(repr(name) for name in LOOKS)}")
    if not 0 < settings.decide_at <= 1:
        raise CountError(
            f"decide_at is {settings.decide_at}; it can be above 0 and up to 1, where every seed is finished"
        )
    sigmas = comfy.samplers.KSampler(
        model, settings.steps, model.load_device, settings.sampler, settings.scheduler, settings.denoise, model.model_options
    ).sigmas  # fmt: skip
    total = len(sigmas) - 1
    if total < 1:
        raise CountError(f"{settings.node} has no step to try seeds in: raise steps or denoise")
    calls = min(total, max(MIN_CALLS, round(settings.decide_at * total)))
    is_better = settings.sampler in _SAME_WAY and calls <= DRAFT_UP_TO * total and not is_steered(model)
    is_draft = settings.look == "draft" or (settings.look == "auto" and is_better)
    if is_draft and calls < total:
        return PreviewPlan(DRAFT_SAMPLER, coarse(sigmas, calls), calls, together=True, is_own=False)
    return PreviewPlan(settings.sampler, sigmas, calls, settings.sampler in _SAME_IN_BATCH, is_own=True)


def varies(settings: SearchSettings) -> bool:
    """Whether a run of this sampler can begin anywhere: it draws no noise of its own on the way."""
    return settings.sampler in _SAME_WAY


def coarse(sigmas: Tensor, steps: int) -> Tensor:
    """(steps + 1,) noise levels from the first to the last of `sigmas`, as evenly spread among them as they can be."""
    places = torch.linspace(0, len(sigmas) - 1, steps + 1, dtype=torch.float64)
    before = places.floor().long().clamp(max=len(sigmas) - 2)
    share = (places - before).to(sigmas)
    return torch.lerp(sigmas[before], sigmas[before + 1], share)
