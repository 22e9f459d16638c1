"""One sampling run of all candidates: scores them at each step, drops the worse ones, and stops at the decision.

The sampler keeps the whole batch and its whole schedule, so that its history and what inpainting keeps are those of a run
to the end. Only the model is asked about fewer and fewer candidates, and about as many at once as fit into memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ...core.attention import MOST_SELF_PIXELS, AttentionCall, CallList
from ...core.errors import CountError
from ...core.isac import instance_to_class, score_calls
from ...core.prompts import Counts
from ..attention.capture import Capture
from ..attention.hook import hooked_options
from ..comfyui.progress import SamplingProgress
from ..families.family import Family
from ..prompts.conditionings import CountedConditioning, counted_conditionings
from ..sampling.noise_share import noise_share
from ..sampling.step_tracker import StateGate, known_name
from ..sampling.whole_image import whole_pictures_only
from .candidates import NODE, SelectionSettings, Standings
from .shared_noise import SharedNoise

_MOST_AT_ONCE = 16
_MEMORY_MARGIN = 1.5  # ComfyUI's own, when it decides how many conditionings share a batch


@dataclass(frozen=True)
class Selection:
    """What one selection is about.

    Attributes:
        family: the model's.
        keep: how many candidates the decision leaves.
        counts: used where the positive conditioning carries none.
        progress: told of every step.
    """

    family: Family
    settings: SelectionSettings
    keep: int
    counts: Counts | None = None
    progress: SamplingProgress | None = None


class Decided(Exception):
    """Ends the sampler once the best candidates are known."""


class CandidateRun:
    """State of one run of all candidates; dropped with it.

    Attributes:
        gate: tells which of the sampler's calls is about its state.
        noise: to be entered around the sampler.
        standings: who is still in.
    """

    def __init__(self, selection: Selection, guider: Any, sigmas: Tensor, noise: Tensor, sampler: Any) -> None:
        self._selection, self._guider, self._shape = selection, guider, noise.shape
        self._counted = counted_conditionings(
            guider.conds.get("positive", []), NODE, selection.family, selection.counts
        )
        if not self._counted:
            raise CountError(f"{NODE} has nothing to choose by: the positive prompt counts nothing")
        self._total_steps = max(len(sigmas) - 1, 1)  # some schedules have fewer than were asked for
        self._noise_left = noise_share(guider.inner_model.model_sampling, sigmas[0])
        self.gate = StateGate(known_name(getattr(sampler, "sampler_function", None)), self._total_steps)
        self.standings = Standings(selection.settings, selection.keep, self._total_steps)
        self.noise = SharedNoise(len(noise))
        self._is_scoring = False
        self._found: list[Tensor] = []
        self._at_most = _MOST_AT_ONCE

    def predict(self, executor: Any, x: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """PREDICT_NOISE wrapper: around each call of the sampler."""
        if x.shape != self._shape:
            raise CountError(
                f"{NODE} cannot follow this sampler: it asks the model about pictures of another size than the latent's, "
                "such as parts of it. Choose another one, such as euler, dpmpp_2m or dpmpp_2m_sde"
            )
        is_state = self._is_scoring = self.gate.is_state(x)
        with self.noise.paused():
            denoised: Tensor = executor(x, timestep, *args, **kwargs)
        if is_state:
            found, self._found = self._found, []
            self.standings.add(torch.cat(found) if found else None, self.gate.step)
            if self._selection.progress is not None:
                best = self.standings.best
                self._selection.progress(self.standings.done, self.standings.total, denoised[best : best + 1])
            if self.standings.is_decided:
                raise Decided
        return denoised

    def ask(
        self, executor: Any, model: Any, conds: Any, x: Tensor, timestep: Tensor, options: dict[str, Any]
    ) -> list[Tensor]:
        """CALC_COND_BATCH wrapper: shows the model those who are still in, in batches that fit into memory.

        A guidance node of its own asks again after the sampler's call; only the first answer is scored.
        """
        is_scoring, self._is_scoring = self._is_scoring, False
        # Who is out is said to be clean already, so that every sampler leaves it as it is.
        answers, alive = [x.clone() for _ in conds], self.standings.alive
        done = 0
        while done < len(alive):
            comfy.model_management.throw_exception_if_processing_interrupted()
            part = alive[done : done + self._at_once(model, x)]
            call = (model, conds, x[part], timestep[part])
            found = self._scored(executor, *call, options) if is_scoring else self._asked(executor, *call, options)
            if found is None:
                self._at_most = len(part) // 2
                comfy.model_management.soft_empty_cache()
                continue
            for answer, own in zip(answers, found, strict=True):
                answer[part] = own
            done += len(part)
        return answers

    def _at_once(self, model: Any, x: Tensor) -> int:
        need = _MEMORY_MARGIN * model.memory_required([1, *x.shape[1:]])
        fit = comfy.model_management.get_free_memory(x.device) // need if need > 0 else self._at_most
        return int(max(1, min(self._at_most, fit)))

    def _asked(
        self, executor: Any, model: Any, conds: Any, x: Tensor, timestep: Tensor, options: dict[str, Any]
    ) -> list[Tensor] | None:
        """The model's answers, or None where memory ran out and fewer candidates may fit."""
        options = whole_pictures_only(options, x, self._guider.conds.values(), NODE)
        try:
            answers: list[Tensor] = executor(model, conds, x, timestep, options)
            return answers
        except comfy.model_management.OOM_EXCEPTION:
            if len(x) == 1:
                raise
        return None

    def _scored(
        self, executor: Any, model: Any, conds: Any, x: Tensor, timestep: Tensor, options: dict[str, Any]
    ) -> list[Tensor] | None:
        lists = []
        for counted in self._counted:
            reader = self._selection.family.reader((x.shape[-2], x.shape[-1]))
            lists.append(CallList(MOST_SELF_PIXELS, reader.one_grid))
            options = hooked_options(options, Capture(reader, counted.conditioning.get("uuid"), lists[-1]))
        answers = self._asked(executor, model, conds, x, timestep, options)
        if answers is None:
            return None
        try:
            pairs = zip(self._counted, lists, strict=True)
            scores = [self._score(counted, one.calls) for counted, one in pairs if one.calls]
        except comfy.model_management.OOM_EXCEPTION:
            if len(x) == 1:
                raise
            return None
        if scores:
            self._found.append(torch.stack(scores).sum(0))
        return answers

    def _score(self, counted: CountedConditioning, calls: list[AttentionCall]) -> Tensor:
        """(B,) on the CPU; several counted conditionings ask for all of their things together."""
        weights = instance_to_class(self.gate.step, self._total_steps, self._noise_left)
        return score_calls(calls, counted.target, self._selection.settings.score, weights).float().cpu()
