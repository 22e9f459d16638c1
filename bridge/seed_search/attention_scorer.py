"""One sampling run of all candidates, scored by the model's attention at each step; it stops at the decision.

The sampler keeps the whole batch and its whole schedule, so that its history and what inpainting keeps are those of a run
to the end. Only the model is asked about fewer and fewer candidates, and about as many at once as fit into memory.
"""

from __future__ import annotations

from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ...core.attention import MAX_SELF_PIXELS, AttentionCall, CallList, Heads, localised
from ...core.errors import CountError
from ...core.isac import (
    LossWeights,
    PaperObjective,
    PromptTarget,
    ScoreName,
    instance_to_class,
    score_calls,
)
from ..attention.capture import Capture
from ..attention.hook import hooked_options
from ..families.family import Family
from ..prompts.conditionings import counted_conditionings, nothing_counted
from ..recording.head_scout import scouted_heads
from ..sampling.noise_share import noise_share
from ..sampling.step_tracker import StepTracker, known_name
from ..sampling.whole_image import whole_pictures_only
from .pool import CandidatePool
from .runs import Batches, EndSampling, Progress, how_many_fit
from .search import Search
from .settings import SelectionSettings
from .shared_noise import SharedNoise

_NODE = SelectionSettings.node
_MAX_AT_ONCE = 16  # candidates in one batch, however much memory there is


class _CallScore:
    """A score of the pictures of one model call, which takes in its attention calls as they come.

    "places" and "paper" wait for all calls, without those that are finer than the score needs; the losses of Algorithm 2
    are those of Algorithm 1, which keep one map for each picture.

    Args:
        weights: of the paper's two losses at this step.
        one_grid: see `CallList`.
        heads: those that "places" reads of a joint attention, see `localised`; {} reads all, as the other scores do.
    """

    def __init__(
        self, settings: SelectionSettings, target: PromptTarget, weights: LossWeights, one_grid: bool, heads: Heads
    ) -> None:  # fmt: skip
        self._settings, self._target, self._weights, self._heads = settings, target, weights, heads
        self._calls = CallList(MAX_SELF_PIXELS, one_grid)
        self._losses = PaperObjective(target, weights, bind=True).start() if settings.goes_to_the_end else None
        self.is_seen = False

    def add(self, call: AttentionCall) -> None:
        """Take in the model's next call."""
        self.is_seen = True
        if self._losses is not None:
            self._losses.accumulate(call)
        elif (part := localised(call, self._heads)) is not None:
            self._calls.add(part)

    def value(self) -> Tensor:
        """(B,) on the CPU, the lower, the better."""
        settings = self._settings
        if self._losses is not None:
            return self._losses.finish().total.float().cpu()
        score: ScoreName = "places" if settings.score == "places" else "paper"
        found = score_calls(self._calls.calls, self._target, score, self._weights, settings.spacing)
        return found.float().cpu()


class AttentionRun:
    """State of one run of all candidates; dropped with it.

    Attributes:
        gate: tells which of the sampler's calls is about its state.
        noise: to be entered around the sampler.
        pool: who is still in.
    """

    def __init__(
        self, search: Search[SelectionSettings], family: Family, guider: Any, sigmas: Tensor, noise: Tensor, sampler: Any
    ) -> None:  # fmt: skip
        self._settings, self._family, self._guider, self._shape = search.settings, family, guider, noise.shape
        self._counted = counted_conditionings(guider.conds.get("positive", []), _NODE, family, search.counts)
        if not self._counted:
            raise nothing_counted(_NODE, "choose by", self._counted.uncounted)
        self._total_steps = max(len(sigmas) - 1, 1)  # some schedules have fewer than were asked for
        self._noise_left = noise_share(guider.inner_model.model_sampling, sigmas[0])
        self.gate = StepTracker(known_name(getattr(sampler, "sampler_function", None)), self._total_steps)
        self.pool = CandidatePool(search.settings, len(search.latent["samples"]), self._total_steps)
        self.noise = SharedNoise(len(noise))
        self._batches, self._progress = Batches(_MAX_AT_ONCE), Progress(self.pool.total, search.progress)
        self._is_scoring = False
        self._scores: list[Tensor] = []
        # None until the scout has asked the model; only "places" needs it.
        self._heads: list[Heads] | None = None if search.settings.score == "places" else [{} for _ in self._counted]

    def predict(self, executor: Any, x: Tensor, timestep: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        """PREDICT_NOISE wrapper: around each call of the sampler."""
        if x.shape != self._shape:
            raise CountError(
                f"{_NODE} cannot follow this sampler: it asks the model about images of another size than the latent's, "
                "such as parts of it. Choose another one, such as euler, dpmpp_2m or dpmpp_2m_sde"
            )
        is_state = self.gate.is_state(x)
        with self.noise.paused():
            if self._heads is None:
                self._heads = self._scouted(x[:1], *args)
            self._is_scoring = is_state
            denoised: Tensor = executor(x, timestep, *args, **kwargs)
        if is_state:
            self._take_in_scores(denoised)
        return denoised

    def _scouted(self, x: Tensor, options: dict[str, Any], *_: Any) -> list[Heads]:
        """The heads that localise what each conditioning counts."""
        model = self._guider.inner_model
        return [scouted_heads(model, self._family, one, x, options) for one in self._counted]

    def _take_in_scores(self, denoised: Tensor) -> None:
        scores, self._scores = self._scores, []
        tried = len(self.pool.alive)
        self.pool.add(torch.cat(scores) if scores else None, self.gate.step)
        best = self.pool.best
        self._progress.add(self.pool.total if self.pool.is_decided else tried, denoised[best : best + 1])
        if self.pool.is_decided and not self._settings.goes_to_the_end:
            raise EndSampling

    def ask(
        self, executor: Any, model: Any, conds: Any, x: Tensor, timestep: Tensor, options: dict[str, Any]
    ) -> list[Tensor]:
        """CALC_COND_BATCH wrapper: shows the model those who are still in, in batches that fit into memory.

        A guidance node of its own asks again after the sampler's call; only the first answer is scored.
        """
        known = self._heads
        if known is None:  # the scout asks
            answers: list[Tensor] = executor(model, conds, x, timestep, options)
            return answers
        is_scoring, self._is_scoring = self._is_scoring, False

        def ask_about(batch: list[int]) -> list[Tensor]:
            comfy.model_management.throw_exception_if_processing_interrupted()
            shown = x[batch]
            recorded, hooked = self._recording(shown, options, known) if is_scoring else ([], options)
            whole = whole_pictures_only(hooked, shown, self._guider.conds.values(), _NODE)
            answers: list[Tensor] = executor(model, conds, shown, timestep[batch], whole)
            # Several counted conditionings ask for all of their objects together.
            if scores := [score.value() for score in recorded if score.is_seen]:
                self._scores.append(torch.stack(scores).sum(0))
            return answers

        # Who is out is said to be clean already, so that every sampler leaves it as it is.
        answers = [x.clone() for _ in conds]
        fit = how_many_fit(model, x.shape, comfy.model_management.get_free_memory(x.device))
        for batch, parts in self._batches.run(self.pool.alive, fit, ask_about):
            for answer, part in zip(answers, parts, strict=True):
                answer[batch] = part
        return answers

    def _recording(
        self, x: Tensor, options: dict[str, Any], known: list[Heads]
    ) -> tuple[list[_CallScore], dict[str, Any]]:
        """A score for each counted conditioning, and the options that fill them."""
        weights, scores = instance_to_class(self.gate.step, self._total_steps, self._noise_left), []
        for counted, heads in zip(self._counted, known, strict=True):
            reader = self._family.reader((x.shape[-2], x.shape[-1]))
            scores.append(_CallScore(self._settings, counted.target, weights, reader.one_grid, heads))
            options = hooked_options(options, Capture(reader, counted.conditioning.get("uuid"), scores[-1]))
        return scores, options
