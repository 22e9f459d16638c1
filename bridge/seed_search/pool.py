"""The candidates of one run, and who is still in: the worse ones are dropped along the way (successive halving)."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ...core.errors import CountError
from ...core.isac import Stage, carried_score, top_k
from .search import Candidate
from .settings import SelectionSettings


@dataclass(frozen=True)
class ScoredCandidate(Candidate):
    """How a candidate fared, of which `index` is ComfyUI's batch index.

    Attributes:
        score: the lower, the better; 0 where it was not tried.
        steps: after how many steps it was scored last; 0 where it was not tried.
    """

    score: float = 0.0
    steps: int = 0


class CandidatePool:
    """Who is still in during a run of all candidates.

    Args:
        keep: how many the decision leaves.
        steps: of the whole run.

    Attributes:
        alive: indices of those that are still in; in the order of the latest drop, best first.
        total: how many candidate steps it takes until the decision.
    """

    def __init__(self, settings: SelectionSettings, keep: int, steps: int) -> None:
        self.alive = list(range(settings.candidates))
        self._score = settings.score
        self._dropped: list[int] = []
        self._stages = list(settings.stages(keep, steps))
        self.total = _candidate_steps(settings.candidates, self._stages)
        self._scores = torch.full((settings.candidates,), math.nan)
        self._steps = [0] * settings.candidates

    @property
    def is_decided(self) -> bool:
        """True once the best are known."""
        return not self._stages

    @property
    def best(self) -> int:
        """Index of the candidate that leads."""
        return self.alive[top_k(self._scores[self.alive], 1)[0]]

    def add(self, now: Tensor | None, step: int) -> None:
        """Take in the scores of a step, and drop the candidates whose time it is.

        Args:
            now: (len(alive),) on the CPU, of the candidates in `alive`; None where no counted conditioning was active.
            step: from 0.
        """
        if now is not None:
            before = self._scores[self.alive] if any(self._steps) else None
            self._scores[self.alive] = carried_score(self._score, before, now)
            for index in self.alive:
                self._steps[index] = step + 1
        while self._stages and self._stages[0].last <= step + 1:
            self._drop(self._stages.pop(0).keep)

    def end(self) -> None:
        """Decide now, since the sampler takes no more steps."""
        if self._stages:
            self._drop(self._stages[-1].keep)
        self._stages = []

    def candidates(self) -> list[ScoredCandidate]:
        """All of them, best first; those that were dropped early come last.

        Raises:
            CountError: none was ever scored.
        """
        if not any(self._steps):
            raise CountError(
                f"{SelectionSettings.node} saw no attention in these steps: the counted conditioning is not active there, or "
                "another node computes the model's calls"
            )
        return [
            ScoredCandidate(index, float(self._scores[index]), self._steps[index])
            for index in self.alive + self._dropped
        ]

    def _drop(self, keep: int) -> None:
        """Nobody is dropped unseen."""
        if any(self._steps):
            order = [self.alive[place] for place in top_k(self._scores[self.alive], len(self.alive))]
            self.alive, self._dropped = order[:keep], order[keep:] + self._dropped


def _candidate_steps(candidates: int, stages: list[Stage]) -> int:
    entering = [candidates, *(stage.keep for stage in stages)]
    return sum(many * (stage.last - stage.first) for many, stage in zip(entering, stages, strict=False))
