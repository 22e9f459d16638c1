"""What a finished sampling run leaves for the viewer: compact, immutable, on the CPU."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from .aggregate import AttentionMaps, head_sums, largest_grid
from .calls import AttentionCall, Grid
from .grids import halved, resize_queries

# Self-attention is kept on grids of up to this many pixels; a finer one is pooled. 32 x 32 in fp16 takes 2 MB.
MOST_SELF_PIXELS = 32 * 32


@dataclass(frozen=True)
class StepRecord:
    """One sampling step.

    Attributes:
        step: index from 0.
        sigma: noise level.
        nouns: (B, k, P) fp16, share of each pixel's attention that each counted noun gets.
        instance_loss, semantic_loss: (B,) when ISAC steered this step, else None.
    """

    step: int
    sigma: float
    nouns: Tensor
    instance_loss: Tensor | None = None
    semantic_loss: Tensor | None = None


@dataclass(frozen=True)
class RunRecord:
    """One sampling run.

    Attributes:
        nouns: counted nouns with their attributes, in prompt order.
        noun_tokens: per noun, its positions in the context.
        counts: per noun, how many were asked for.
        words: every word of the prompt with its positions in the context.
        grid: (h, w) of the maps, P = h * w.
        steps: the recorded steps in order.
        cross_attention: (B, P, T) fp16, mean over the recorded steps.
        self_attention: (B, p, p) fp16, mean over the recorded steps, on `self_grid`.
        self_grid: (h, w) with p = h * w.
        samples: the latent that the sampler returned, fp16; says which LATENT this record belongs to.
    """

    nouns: tuple[str, ...]
    noun_tokens: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    words: tuple[tuple[str, tuple[int, ...]], ...]
    grid: Grid
    steps: tuple[StepRecord, ...]
    cross_attention: Tensor
    self_attention: Tensor
    self_grid: Grid
    samples: Tensor

    def maps(self) -> AttentionMaps:
        """Mean maps over the run, on the grid of the self-attention."""
        cross = resize_queries(self.cross_attention.float(), self.grid, self.self_grid)
        return AttentionMaps(self.self_attention.float(), cross, self.self_grid)


@dataclass(frozen=True)
class RecordedMaps:
    """Mean maps of one model call, self-attention on a coarser grid than cross-attention.

    Attributes:
        cross_attention: (B, P, T) on `grid`.
        self_attention: (B, p, p) on `self_grid`, rows sum to 1.
    """

    cross_attention: Tensor
    grid: Grid
    self_attention: Tensor
    self_grid: Grid


@torch.no_grad()
def recorded_maps(calls: list[AttentionCall]) -> RecordedMaps:
    """Mean over heads and layers of one model call.

    Raises:
        CountError: no self-attention or no cross-attention was recorded.
    """
    sums = head_sums(calls)
    grid = largest_grid(call for call in calls if call.columns("cross") is not None)
    self_grid = halved(largest_grid(call for call in calls if call.columns("self") is not None), MOST_SELF_PIXELS)
    attention = sums["self"].mean("self", self_grid)
    return RecordedMaps(sums["cross"].mean("cross", grid), grid, attention / attention.sum(-1, keepdim=True), self_grid)


@dataclass
class RunRecorder:
    """Gathers maps while a run goes on; keeps sums, never a matrix per step."""

    nouns: tuple[str, ...]
    noun_tokens: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    words: tuple[tuple[str, tuple[int, ...]], ...]
    _steps: list[StepRecord] = field(default_factory=list)
    _grid: Grid = (0, 0)
    _self_grid: Grid = (0, 0)
    _cross: Tensor | None = None
    _self: Tensor | None = None

    @torch.no_grad()
    def add(
        self,
        step: int,
        sigma: float,
        maps: RecordedMaps,
        instance_loss: Tensor | None = None,
        semantic_loss: Tensor | None = None,
    ) -> None:
        """Take in the maps of one step."""
        attention, cross = maps.self_attention.detach().float(), maps.cross_attention.detach().float()
        nouns = torch.stack([cross[..., list(positions)].sum(-1) for positions in self.noun_tokens], dim=1)
        losses = [None if loss is None else loss.detach().float().cpu() for loss in (instance_loss, semantic_loss)]
        self._steps.append(StepRecord(step, sigma, nouns.half().cpu(), *losses))
        self._cross = cross if self._cross is None else self._cross + cross
        self._self = attention if self._self is None else self._self + attention
        self._grid, self._self_grid = maps.grid, maps.self_grid

    def finish(self, samples: Tensor) -> RunRecord | None:
        """The record of the run, or None when no step was recorded."""
        if self._cross is None or self._self is None:
            return None
        many = len(self._steps)
        return RunRecord(
            self.nouns,
            self.noun_tokens,
            self.counts,
            self.words,
            self._grid,
            tuple(self._steps),
            (self._cross / many).half().cpu(),
            (self._self / many).half().cpu(),
            self._self_grid,
            samples.detach().half().cpu().clone(),
        )
