"""ISAC Latent Selection: runs many candidates a little way and keeps those whose attention promises the asked counts.

Reference: ISAC_LS, Algorithm 2 of "ISAC: Training-Free Instance-to-Semantic Attention Control" (arXiv 2505.20935v4).
Changed: candidates are dropped along the way instead of running to the end, the score is a choice (see
`core.isac.selection`), and the picture itself comes from an ordinary run of the chosen noise with the user's sampler.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import comfy.model_management
import comfy.sample
import comfy.samplers
import torch
from torch import Tensor

from ..core.attention.records import MOST_SELF_PIXELS
from ..core.errors import CountError
from ..core.isac.schedule import instance_to_class
from ..core.isac.selection import (
    DECIDE_AT,
    DEFAULT_SCORE,
    ScoreName,
    Stage,
    carried_score,
    halving,
    score_calls,
    stay,
)
from ..core.prompts.counts import Counts
from .capture import Capture, own_function
from .conditionings import counted_conditionings
from .families.family import Family
from .patched_model import with_runs
from .recorded_call import recording_options

NODE = "ISAC Latent Selection"
_KEY = "headcount_selection"
_MOST_AT_ONCE = 16

Progress = Callable[[int, Tensor], None]
"""Called after each step with the number of candidates that took it, and their predicted clean latents."""


@dataclass(frozen=True)
class SelectionSettings:
    """How to sample the candidates, and when to decide.

    Attributes:
        seed, steps, cfg, sampler, scheduler, denoise: those of the sampler that makes the picture.
        candidates: B, how many noises to try: the first B of this seed.
        decide_at: share of the steps after which the best are known, above 0 and up to 1.
        score: what ranks the candidates.
    """

    seed: int
    steps: int
    cfg: float
    sampler: str
    scheduler: str
    denoise: float = 1.0
    candidates: int = 8
    decide_at: float = DECIDE_AT
    score: ScoreName = DEFAULT_SCORE


@dataclass(frozen=True)
class Candidate:
    """How one candidate fared.

    Attributes:
        index: its place among the seed's noises, ComfyUI's batch index.
        score: the lower, the better.
        steps: after how many steps it was scored last.
    """

    index: int
    score: float
    steps: int


def select_candidates(
    model: Any,
    positive: Any,
    negative: Any,
    latent: dict[str, Any],
    settings: SelectionSettings,
    counts: Counts | None = None,
    progress: Progress | None = None,
) -> list[Candidate]:
    """All candidates, best first; those that were dropped early come last.

    Args:
        model: ComfyUI's MODEL with whatever patches; it is not changed.
        positive, negative: CONDITIONING.
        latent: LATENT; as many candidates as it has pictures are carried to the decision.
        counts: used where the positive conditioning carries none.

    Raises:
        CountError: a family or sampler that cannot be followed, or settings that leave nothing to choose.
    """
    samples = comfy.sample.fix_empty_latent_channels(model, latent["samples"])
    keep = samples.shape[0]
    _check(samples, settings)
    run = _Runner(model, positive, negative, latent.get("noise_mask"), settings, counts, progress)
    alive = run.start(samples[:1])
    dropped: list[_Lane] = []
    for stage in halving(settings.candidates, keep, settings.steps, settings.decide_at):
        run.stage(alive, stage)
        alive = [alive[place] for place in stay(torch.cat([lane.score for lane in alive]), len(alive))]
        alive, dropped = alive[: stage.keep], alive[stage.keep :] + dropped
    return [Candidate(lane.index, float(lane.score), lane.steps) for lane in alive + dropped]


def _check(samples: Tensor, settings: SelectionSettings) -> None:
    if settings.candidates < len(samples):
        raise CountError(
            f"{NODE} chooses {len(samples)} of {settings.candidates} candidates: the latent has {len(samples)} pictures. "
            "Raise candidates, or lower the latent's batch size"
        )
    if len(samples) > 1 and not torch.equal(samples, samples[:1].expand_as(samples)):
        raise CountError(
            f"{NODE} tries noises for one picture, and got a latent of {len(samples)} different ones: "
            "choose one with Latent From Batch"
        )


@dataclass
class _Lane:
    """One candidate on its way."""

    index: int
    noise: Tensor | None
    samples: Tensor
    score: Tensor = field(default_factory=lambda: torch.zeros(1))
    steps: int = 0


class _Runner:
    """Samples lanes stage by stage, as many at once as fit."""

    def __init__(
        self,
        model: Any,
        positive: Any,
        negative: Any,
        noise_mask: Tensor | None,
        settings: SelectionSettings,
        counts: Counts | None,
        progress: Progress | None,
    ) -> None:
        self._run: _ScoredRun | None = None
        self._model, _ = with_runs(model, _KEY, NODE, self._start_run)
        self._begin: tuple[int, Tensor | None] = 0, None
        self._counts = counts
        self._conditionings = (positive, negative)
        self._mask = None if noise_mask is None else noise_mask[:1]
        self._settings = settings
        self._progress = progress
        self._at_once = _MOST_AT_ONCE

    def start(self, samples: Tensor) -> list[_Lane]:
        """Every candidate with its noise: those that a sampler gives to the pictures of a batch with these indices."""
        generator = torch.Generator().manual_seed(self._settings.seed)
        indices = list(range(self._settings.candidates))
        noises = comfy.sample.prepare_noise_inner(samples, generator, indices)
        return [_Lane(index, noises[index : index + 1], samples) for index in indices]

    def _start_run(self, guider: Any, _: Tensor, family: Family) -> _ScoredRun:
        self._run = _ScoredRun(guider, family, self._settings, self._counts)
        self._run.first_step, self._run.score = self._begin
        return self._run

    def stage(self, lanes: list[_Lane], stage: Stage) -> None:
        """Run all lanes over the steps of a stage. Out of memory, fewer run at once."""
        done = 0
        while done < len(lanes):
            comfy.model_management.throw_exception_if_processing_interrupted()
            chunk = lanes[done : done + self._at_once]
            try:
                self._sample(chunk, stage)
                done += len(chunk)
            except comfy.model_management.OOM_EXCEPTION:
                if len(chunk) == 1:
                    raise
                self._at_once = len(chunk) // 2
                comfy.model_management.soft_empty_cache()

    def _sample(self, lanes: list[_Lane], stage: Stage) -> None:
        settings = self._settings
        samples = torch.cat([lane.samples for lane in lanes])
        noises = [lane.noise for lane in lanes if lane.noise is not None]
        self._begin = stage.first, None if stage.first == 0 else torch.cat([lane.score for lane in lanes])

        def after_step(_: int, denoised: Tensor, *__: Any) -> None:
            if self._progress is not None:
                self._progress(len(lanes), denoised)

        out = comfy.sample.sample(
            self._model, torch.cat(noises) if noises else torch.zeros_like(samples), settings.steps, settings.cfg,
            settings.sampler, settings.scheduler, *self._conditionings, samples, denoise=settings.denoise,
            disable_noise=not noises, start_step=stage.first, last_step=stage.last, force_full_denoise=False,
            noise_mask=self._mask, callback=after_step, disable_pbar=True, seed=settings.seed,
        )  # fmt: skip
        run, self._run = self._run, None
        if run is None or run.score is None:
            raise CountError(
                f"{NODE} saw no attention in these steps: the conditioning is not active there, or another node computes "
                "the model's calls"
            )
        for lane, sample, score in zip(lanes, out, run.score.split(1), strict=True):
            lane.samples, lane.noise, lane.score, lane.steps = sample[None], None, score, stage.last


class _ScoredRun:
    """Scores the attention of each step's model call, from the score that its lanes start with."""

    def __init__(self, guider: Any, family: Family, settings: SelectionSettings, counts: Counts | None) -> None:
        counted = counted_conditionings(guider.conds.get("positive", []), NODE, family, counts)
        if not counted:
            raise CountError(f"{NODE} has nothing to choose by: the positive prompt counts nothing")
        self.score: Tensor | None = None
        self.first_step = 0
        self._counted, self._family, self._settings = counted[0], family, settings
        self._open: tuple[Capture, int] | None = None

    def at_state(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], step: int) -> dict[str, Any]:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._close()
        capture = Capture(
            self._family.reader((x.shape[-2], x.shape[-1])), self._counted.conditioning.get("uuid"), MOST_SELF_PIXELS
        )
        self._open = capture, self.first_step + step
        return recording_options(model_options, capture, own_function, keep_previous=True)

    def _close(self) -> None:
        """Take in the call that was opened at the last state."""
        done, self._open = self._open, None
        if done is None or not done[0].calls:
            return
        weights = instance_to_class(done[1], self._settings.steps)
        now = score_calls(done[0].calls, self._counted.target, self._settings.score, weights)
        self.score = carried_score(self._settings.score, self.score, now.float().cpu())

    def finish(self) -> None:
        """Nothing is recorded for the viewer."""
        self._close()
