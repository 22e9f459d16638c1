"""The candidates of ISAC Latent Selection: how they are sampled, how they fare, and who is still in."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.errors import CountError
from ...core.isac import DECIDE_AT, DEFAULT_SCORE, ScoreName, Stage, carried_score, halving, stay

NODE = "ISAC Latent Selection"


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
        score: the lower, the better; 0 where it was not tried.
        steps: after how many steps it was scored last; 0 where it was not tried.
    """

    index: int
    score: float = 0.0
    steps: int = 0


class Standings:
    """Who is still in during a run of all candidates.

    Args:
        keep: how many the decision leaves.
        steps: of the whole run.

    Attributes:
        alive: batch indices of those that are still in; in the order of the latest drop, best first.
        done, total: candidate steps taken, and how many it takes until the decision.
    """

    def __init__(self, settings: SelectionSettings, keep: int, steps: int) -> None:
        self.alive = list(range(settings.candidates))
        self.done = 0
        self._score = settings.score
        self._dropped: list[int] = []
        self._stages = list(halving(settings.candidates, keep, steps, settings.decide_at))
        self.total = _candidate_steps(settings.candidates, self._stages)
        self._scores = torch.full((settings.candidates,), math.nan)
        self._steps = [0] * settings.candidates

    @property
    def is_decided(self) -> bool:
        """True once the best are known."""
        return not self._stages

    @property
    def best(self) -> int:
        """Batch index of the candidate that leads."""
        return self.alive[stay(self._scores[self.alive], 1)[0]]

    def add(self, now: Tensor | None, step: int) -> None:
        """Take in what `score_calls` gave for the candidates in `alive` at a step, and drop those whose time it is.

        Args:
            now: (len(alive),) on the CPU; None where no counted conditioning was active.
            step: from 0.
        """
        if now is not None:
            before = self._scores[self.alive] if any(self._steps) else None
            self._scores[self.alive] = carried_score(self._score, before, now)
            for index in self.alive:
                self._steps[index] = step + 1
        self.done = min(self.done + len(self.alive), self.total)
        while self._stages and self._stages[0].last <= step + 1:
            self._drop(self._stages.pop(0).keep)
        if self.is_decided:
            self.done = self.total

    def end(self) -> None:
        """Decide now, since the sampler takes no more steps."""
        if self._stages:
            self._drop(self._stages[-1].keep)
        self._stages, self.done = [], self.total

    def candidates(self) -> list[Candidate]:
        """All of them, best first; those that were dropped early come last.

        Raises:
            CountError: none was ever scored.
        """
        if not any(self._steps):
            raise CountError(
                f"{NODE} saw no attention in these steps: the counted conditioning is not active there, or another node "
                "computes the model's calls"
            )
        return [Candidate(one, float(self._scores[one]), self._steps[one]) for one in self.alive + self._dropped]

    def _drop(self, keep: int) -> None:
        """Nobody is dropped unseen."""
        if any(self._steps):
            order = [self.alive[place] for place in stay(self._scores[self.alive], len(self.alive))]
            self.alive, self._dropped = order[:keep], order[keep:] + self._dropped


def _candidate_steps(candidates: int, stages: list[Stage]) -> int:
    entering = [candidates, *(stage.keep for stage in stages)]
    return sum(many * (stage.last - stage.first) for many, stage in zip(entering, stages, strict=False))
