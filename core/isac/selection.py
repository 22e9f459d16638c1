"""Which of several seeds is on its way to the asked number of things: scores from attention alone, and who goes on.

Reference: ISAC_LS, Algorithm 2 of "ISAC: Training-Free Instance-to-Semantic Attention Control" (ECCV 2026; arXiv
2505.20935v4): run B seeds, add up the ISAC loss over all steps, keep the seed with the lowest sum. No gradient is needed.

What is changed, and why (measured by benchmarks/seed_ranking.py on the Shapes model). There the paper's loss ranks seeds
hardly better than chance, at any step and summed: overlap is low both where things are apart and where they are missing.
"places" asks for presence instead. It looks for the separate places where a noun is attended to, and is the negative
log-likelihood that there are exactly as many as asked, one logistic per place. Only the latest step counts: what the
first steps show is gone later, and a sum keeps it. The layout is decided in the first half of the steps, so that no
candidate but the best need go further, and the worse half is dropped a little before.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import softplus

from ..attention import (
    AttentionCall,
    Grid,
    area_pooled,
    largest_grid,
    mean_over_layers,
    noun_columns,
    picture_maps,
    smoothed,
)
from ..errors import CountError
from .anchored import semantic_calls
from .anchors import cell_distances, map_spacing
from .objective import paper_grid, paper_losses
from .presence_losses import working_grid
from .schedule import LossWeights
from .target import PromptTarget

ScoreName = Literal["places", "paper"]
SCORES: tuple[ScoreName, ...] = get_args(ScoreName)
DEFAULT_SCORE: ScoreName = "places"
DECIDE_AT = 0.5
"""Share of the sampling steps after which the best seeds are known on the Shapes model."""
DROP_AT = 0.8
"""Share of the steps until the decision after which the worse half is dropped."""

# A place with 0.4 of what strong places have is as likely a thing as not; 0.35 and 0.5 rank about as well.
EVEN = 0.4
SOFTNESS = 0.2
SURPLUS_PLACES = 4


@dataclass(frozen=True)
class Stage:
    """Steps that all remaining candidates take before some are dropped.

    Attributes:
        first, last: steps first..last-1, counted from 0.
        keep: how many candidates go on after them.
    """

    first: int
    last: int
    keep: int


def noun_heat(calls: list[AttentionCall], tokens: tuple[tuple[int, ...], ...]) -> tuple[Tensor, Grid]:
    """Attention to each noun near 16 x 16 cells, the mean over heads and layers: (B, k, P), and its grid.

    Args:
        calls: recorded calls of one model call.
        tokens: per noun, its token positions; a noun gets the sum over them.

    Raises:
        CountError: no cross-attention was recorded, or token positions do not fit it.
    """
    used = semantic_calls(calls)
    grid = largest_grid(used)
    cross = mean_over_layers(used, "cross", grid)
    pieces = cross.new_tensor([[len(positions)] for positions in tokens])
    return torch.stack([noun_columns(item, tokens).T * pieces for item in cross]), grid


def place_strengths(
    heat: Tensor, grid: Grid, places: int, counts: tuple[int, ...], spacing: float | None = None
) -> Tensor:
    """How strongly each noun is attended to at its strongest separate places, beyond any other noun.

    Args:
        heat: (B, k, P) attention to the nouns on `grid`.
        places: M, how many places to look for.
        counts: per noun, how many are asked for.
        spacing: least distance between two places, as a share of the working grid's shorter side; None for each picture's
            own `map_spacing`.

    Returns:
        (B, k, M) attention above the noun's median and above what the strongest other noun has there, strongest first;
        0 where there are no more places.
    """
    working = working_grid(grid)
    blurred = smoothed(area_pooled(heat.flatten(0, 1), grid, working), working).unflatten(0, heat.shape[:2])
    left = blurred - blurred.median(-1, keepdim=True).values
    if left.shape[1] > 1:
        most = left.topk(2, dim=1)
        is_own = most.indices[:, :1] == torch.arange(left.shape[1], device=left.device)[:, None]
        left = left - torch.where(is_own, most.values[:, 1:], most.values[:, :1]).clamp_min(0)
    shares = [map_spacing(item, working, counts) if spacing is None else spacing for item in blurred]
    reach = left.new_tensor(shares)[:, None, None] * min(working)
    distances, found = cell_distances(working, left.device), []
    for _ in range(places):
        value, pixel = left.max(-1)
        found.append(value)
        left = left.masked_fill(distances[pixel] < reach, -torch.inf)
    return torch.stack(found, dim=-1).clamp_min(0)


def relative_strengths(strengths: Tensor, counts: tuple[int, ...]) -> Tensor:
    """Strengths (B, k, M) in units of a strong place: the mean of the stronger half of a noun's asked places.

    Of the noun that has most: one that is nowhere to be seen must not be measured by itself. 0 where nothing is seen.
    """
    strong = [strengths[:, noun, : (count + 1) // 2].mean(-1) for noun, count in enumerate(counts)]
    unit = torch.stack(strong).amax(0).clamp_min(torch.finfo(strengths.dtype).tiny)
    return strengths / unit[:, None, None]


def places_score(heat: Tensor, grid: Grid, counts: tuple[int, ...], spacing: float | None = None) -> Tensor:
    """How unlikely it is that each noun has exactly as many separate places as asked: (B,), >= 0, lower is better.

    Args:
        heat: (B, k, P) attention to the nouns, as `noun_heat` gives it.
        grid: (h, w), P = h * w.
        counts: per noun, how many are asked for, at least 1.
        spacing: see `place_strengths`.
    """
    strengths = place_strengths(heat, grid, max(counts) + SURPLUS_PLACES, counts, spacing)
    logits = (relative_strengths(strengths, counts) - EVEN) / SOFTNESS
    parts = []
    for noun, count in enumerate(counts):
        noun_logits = logits[:, noun, : count + SURPLUS_PLACES]
        parts.append(softplus(-noun_logits[:, :count]).sum(-1) + softplus(noun_logits[:, count:]).sum(-1))
    return torch.stack(parts).sum(0)


@torch.no_grad()
def score_calls(
    calls: list[AttentionCall],
    target: PromptTarget,
    score: ScoreName = DEFAULT_SCORE,
    weights: LossWeights | None = None,
    spacing: float | None = None,
) -> Tensor:
    """Score the pictures of one model call: (B,), lower is better. To be carried from step to step by `carried_score`.

    Args:
        calls: the recorded calls; "places" reads cross-attention near 16 x 16 cells only, "paper" all, and keeps attributes
            with their noun as v4 does.
        target: the same for all pictures of the batch.
        weights: of the paper's two losses at this step, see `instance_to_class`; None weighs them alike.
        spacing: "places" only, see `places_score`.

    Raises:
        CountError: unknown score; attention that the score needs was not recorded; token positions do not fit it.
    """
    if score not in SCORES:
        raise CountError(f"score is '{score}'; it can be {' or '.join(repr(name) for name in SCORES)}")
    if score == "places":
        return places_score(*noun_heat(calls, target.tokens), target.counts, spacing)
    grid, both = paper_grid(calls), weights or LossWeights(0.5, 0.5)
    items = range(len(calls[0].queries))
    return torch.cat([paper_losses(picture_maps(calls, item, grid), target, both, bind=True).total for item in items])


def carried_score(score: str, before: Tensor | None, now: Tensor) -> Tensor:
    """A seed's score after a step: the paper's losses are summed over the steps, "places" is that of the latest step alone.

    Args:
        before: (B,) score after the step before, None at the first one.
        now: (B,) what `score_calls` gives for this step.
    """
    return now if score == "places" or before is None else before + now


def successive_halving(candidates: int, keep: int, steps: int, decide_at: float = DECIDE_AT) -> tuple[Stage, ...]:
    """Stages of successive halving: the worse half is dropped on the way (`DROP_AT`), the others at the decision.

    Args:
        candidates: B, how many start.
        keep: how many the decision leaves, at most B.
        steps: of the whole run.
        decide_at: share of the steps after which to decide, above 0 and up to 1; at least one step is taken.

    Returns:
        One stage, or two where dropping half on the way leaves more than `keep`; none where nothing is to be dropped.

    Raises:
        CountError: fewer candidates than are to be kept, or `decide_at` outside of its range.
    """
    if not 1 <= keep <= candidates:
        raise CountError(f"{keep} of {candidates} candidates cannot be kept: try at least as many as are wanted")
    if not 0 < decide_at <= 1 or steps < 1:
        raise CountError(f"cannot decide at {decide_at} of {steps} steps; decide_at can be above 0 and up to 1")
    if keep == candidates:
        return ()
    last, half = max(1, round(steps * decide_at)), (candidates + 1) // 2
    middle = round(last * DROP_AT)
    if half <= keep or not 0 < middle < last:
        return (Stage(0, last, keep),)
    return Stage(0, middle, half), Stage(middle, last, keep)


def top_k(scores: Tensor, k: int) -> list[int]:
    """Indices of the k best, which are the lowest, of (B,) scores, best first, ties in their order; NaN comes last."""
    return scores.argsort(stable=True)[:k].tolist()
