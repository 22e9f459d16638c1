"""The terms of Headcount's own objective on one picture's maps; `anchored` says what they are for."""

from __future__ import annotations

import torch
from torch import Tensor

from ..attention import Grid, area_pooled, smoothed
from .anchors import Anchor, cell_distances, pick_anchors
from .words import ConceptTokens

PRESENT = 0.7
ABSENT = 0.45
OWN = 0.7
CELLS = 16 * 16
_OWN_WEIGHT = 4.0
_SURPLUS_CELLS = 4


def working_grid(grid: Grid) -> Grid:
    """The grid that the losses work on: `grid`, or where it has far more than 16 x 16 cells, the whole part nearest to it.

    Surplus is looked for in a few cells and smoothing spans three, so that cells must not be much smaller than things.
    """
    part = max(1, round((grid[0] * grid[1] / CELLS) ** 0.5))
    return -(-grid[0] // part), -(-grid[1] // part)


def _units(heat: Tensor, anchors: tuple[Anchor, ...]) -> tuple[Tensor, Tensor]:
    """What counts as no attention and as an instance's full attention: floors per noun (k,), and one span ().

    A floor is the map's median. The span reaches from there to the mean of the stronger half of a noun's places, for
    the noun that has most: a noun that is nowhere to be seen must not be measured by itself.
    """
    floors, spans = heat.median(1).values, []
    for noun, own in enumerate(heat):
        at = own[[anchor.pixel for anchor in anchors if anchor.noun == noun]]
        spans.append(at.topk((len(at) + 1) // 2).values.mean() - floors[noun])
    return floors, torch.stack(spans).amax().clamp_min(1e-6)


def _instance_loss(strength: Tensor, own: list[int], free: Tensor) -> Tensor:
    """Presence at the noun's own places, surplus in the free cells."""
    beside = strength[free]
    highest = beside.topk(min(_SURPLUS_CELLS, len(beside))).values
    return torch.relu(PRESENT - strength[own]).sum() + torch.relu(highest - ABSENT).sum()


def _share_loss(heat: Tensor, owner: Tensor, pixels: list[int]) -> Tensor:
    """What the owners' share of (k, P) maps is short of `OWN` at their pixels: ()."""
    at = heat[:, pixels]
    share = at[owner, torch.arange(len(pixels), device=heat.device)] / at.sum(0)
    return _OWN_WEIGHT * torch.relu(OWN - share).sum()


def _mixing_loss(heat: Tensor, strength: Tensor, anchors: tuple[Anchor, ...]) -> Tensor:
    """Attention to other nouns at each place: (k, P) maps to (); 0 for a single noun."""
    if len(heat) == 1:
        return heat.new_zeros(())
    pixels = [anchor.pixel for anchor in anchors]
    owner = torch.tensor([anchor.noun for anchor in anchors], device=heat.device)
    is_own = owner == torch.arange(len(heat), device=heat.device)[:, None]
    foreign = torch.relu(strength[:, pixels] - ABSENT)[~is_own]
    return foreign.sum() + _share_loss(heat, owner, pixels)


def _binding_loss(heat: Tensor, words: ConceptTokens, anchors: tuple[Anchor, ...]) -> Tensor:
    """Attention to other nouns' attributes at each place: (w, P) maps of all words to ().

    A noun's attributes are one map, their mean, so that a noun with more of them claims no larger share. Only nouns with
    attributes take part; 0 where fewer than two have any: a lone attribute has nothing to be told apart from.
    """
    described = [noun for noun, own in enumerate(words.objects) if len(own) > 1]
    placed = [anchor for anchor in anchors if anchor.noun in described]
    if len(described) < 2 or not placed:
        return heat.new_zeros(())
    attributes = torch.stack([heat[list(words.objects[noun][1:])].mean(0) for noun in described])
    owner = torch.tensor([described.index(anchor.noun) for anchor in placed], device=heat.device)
    return _share_loss(attributes, owner, [anchor.pixel for anchor in placed])


def picture_losses(
    heat: Tensor, grid: Grid, words: ConceptTokens, counts: tuple[int, ...], spacing: float
) -> tuple[Tensor, Tensor]:
    """Presence and surplus (), and mixing and binding (), of one picture. Differentiable.

    Args:
        heat: (w, h * w) attention to each word, as `words` orders them.
        grid: (h, w).
        counts: per noun, how many are asked for.
        spacing: least distance between two instances, as a share of the working grid's shorter side.
    """
    working = working_grid(grid)
    blurred = smoothed(area_pooled(heat, grid, working), working)
    nouns = blurred[: len(counts)]
    distances, reach = cell_distances(working, heat.device), spacing * min(working)
    anchors = pick_anchors(nouns.detach(), counts, distances, reach)
    floors, span = _units(nouns.detach(), anchors)
    strength = (nouns - floors[:, None]) / span
    free = ~(distances[[anchor.pixel for anchor in anchors]] < reach).any(0)
    parts = [
        _instance_loss(own, [anchor.pixel for anchor in anchors if anchor.noun == noun], free)
        for noun, own in enumerate(strength)
    ]
    semantic = _mixing_loss(nouns, strength, anchors)
    if words.bound:
        semantic = semantic + _binding_loss(blurred, words, anchors)
    return torch.stack(parts).sum(), semantic
