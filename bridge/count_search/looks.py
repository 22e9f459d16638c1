"""Samples seeds as far as their plan goes, and takes the model's prediction of the clean latent there."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from .plan import Plan, plan_for
from .settings import SearchSettings
from .start import Start

_KEY = "headcount_count_search"
_MEMORY_MARGIN = 1.5  # ComfyUI's own, when it decides how many conditionings share a batch

StepDone = Callable[[int, Tensor], None]
"""Called after each step with how many seeds took it, and (1, ...) the first one's predicted clean latent."""


class _Seen(Exception):
    """Ends a sampler once the look is done."""


@dataclass(frozen=True)
class Looks:
    """Looks at candidates of one search.

    Attributes:
        model: a clone of the user's model; made by `looks_of`.
        positive, negative: CONDITIONING.
    """

    model: Any
    positive: Any
    negative: Any
    cfg: float
    start: Start
    plan: Plan
    at_once: int

    def how_many(self) -> int:
        """How many candidates are looked at together: as many as may be, and as memory allows."""
        if not self.plan.together:
            return 1
        need = 2 * _MEMORY_MARGIN * self.model.model.memory_required(list(self.start.samples.shape))
        free = comfy.model_management.get_free_memory(self.model.load_device)
        free -= max(0, self.model.model_size() - self.model.loaded_size())
        return int(max(1, min(self.at_once, free // need if need > 0 else self.at_once)))

    def predicted(self, indices: list[int], step_done: StepDone) -> Tensor:
        """(n, C, ...) predicted clean latents of the candidates `indices`, in halves where memory runs out."""
        try:
            return self._sampled(indices, step_done)
        except comfy.model_management.OOM_EXCEPTION:
            if len(indices) == 1:
                raise
        comfy.model_management.soft_empty_cache()
        half = (len(indices) + 1) // 2
        return torch.cat([self.predicted(part, step_done) for part in (indices[:half], indices[half:])])

    def _sampled(self, indices: list[int], step_done: StepDone) -> Tensor:
        noise = torch.cat([self.start.noise_of(index) for index in indices])
        latent = self.start.samples.expand(noise.shape).clone()
        seen: list[Tensor] = []

        def after_step(step: int, denoised: Tensor, x: Tensor, total: int) -> None:
            step_done(len(indices), denoised[:1])
            comfy.model_management.throw_exception_if_processing_interrupted()
            if step + 1 >= self.plan.steps:
                seen.append(denoised)
                raise _Seen

        samples = comfy.sample.sample_custom(
            self.model, noise, self.cfg, comfy.samplers.sampler_object(self.plan.sampler), self.plan.sigmas, self.positive,
            self.negative, latent, noise_mask=self.start.mask, callback=after_step, disable_pbar=True,
            seed=self.start.seed_of(indices[0]),
        )  # fmt: skip
        if not seen:  # the sampler has steps of its own, and has gone all of its way
            return samples
        return self.model.model.process_latent_out(seen[0].float()).to(samples.device)


def looks_of(model: Any, positive: Any, negative: Any, start: Start, settings: SearchSettings) -> Looks:
    """Looks at candidates of `start` through a clone of `model`, which is not changed.

    Whatever is on the model acts on them, ISAC too: a seed that is right without it is often wrong with it, and the other way
    round. Handles of MAPS get nothing of these runs.

    Raises:
        CountError: see `plan_for`.
    """
    patched = model.clone()
    _wrap_first(patched, _until_seen)
    plan = plan_for(patched, settings)
    return Looks(patched, positive, negative, settings.cfg, start, plan, settings.at_once)


def _until_seen(
    executor: Any, guider: Any, sigmas: Any, extra_args: Any, callback: Any, noise: Tensor, *rest: Any
) -> Any:
    """SAMPLER_SAMPLE wrapper: the run ends as any other, with samples that nobody reads."""
    try:
        return executor(guider, sigmas, extra_args, callback, noise, *rest)
    except _Seen:
        return noise


def _wrap_first(model: Any, wrapper: Callable[..., Any]) -> None:
    """Put a SAMPLER_SAMPLE wrapper around all others, so that none of them takes a look for a finished run."""
    options = model.model_options["transformer_options"]
    wrappers = dict(options.get("wrappers", {}))
    kind = WrappersMP.SAMPLER_SAMPLE
    wrappers[kind] = {_KEY: [wrapper], **wrappers.get(kind, {})}
    model.model_options = {**model.model_options, "transformer_options": {**options, "wrappers": wrappers}}
