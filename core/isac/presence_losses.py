"""The terms of Headcount's own objective on one picture's maps; `anchored` says what they are for."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention import Grid, area_pooled, smoothed
from ..counting import NounBoxes
from .anchors import FLOOR_QUANTILE, Places, pick_places, places_in_boxes
from .words import ConceptTokens

# On maps of plain Emoji runs (60 tuning prompts, steps 3 to 14 of 20) three of four places on an object have 0.78 or more, and
# half of those on none less than 0.62; other nouns have less than 0.48 at nine of ten, and the background less than 0.21.
PRESENT = 0.7
ABSENT = 0.45
OWN = 0.7
CELLS = 16 * 16
# Those below were chosen by trial, and no command compares others.
UNIT_SHARE = 0.5
OWN_WEIGHT = 4.0
SURPLUS_CELLS = 4


@dataclass(frozen=True)
class PictureLosses:
    """Losses of one picture, each ().

    Attributes:
        instance: presence and surplus.
        semantic: mixing and binding.
        urgency: 0 to 1, the largest loss of a single place or surplus cell over that of an object that is missing altogether;
            without graph. It does not grow with the number of places: two right objects and eight want the same, none.
    """

    instance: Tensor
    semantic: Tensor
    urgency: Tensor


def working_grid(grid: Grid) -> Grid:
    """The grid that the losses work on: `grid`, or where it has far more than 16 x 16 cells, the whole part nearest to it.

    Surplus is looked for in a few cells and smoothing spans three, so that cells must not be much smaller than objects.
    """
    part = max(1, round((grid[0] * grid[1] / CELLS) ** 0.5))
    return -(-grid[0] // part), -(-grid[1] // part)


def _strengths(heat: Tensor, shown: Places) -> Tensor:
    """(k, P) maps in units of an instance's full attention, above what counts as none.

    A noun's unit is the mean of the stronger half of the places that it shows, but at least `UNIT_SHARE` of the largest such
    unit: nouns differ in how strongly they are attended to, yet one that is nowhere to be seen must not be measured by itself.
    """
    constant = heat.detach()
    floors, units = constant.quantile(FLOOR_QUANTILE, dim=1), []
    for noun, own in enumerate(constant):
        at = own[shown.pixels[shown.nouns == noun]]
        units.append(at.topk((len(at) + 1) // 2).values.mean() - floors[noun])
    unit = torch.stack(units)
    unit = torch.maximum(unit, UNIT_SHARE * unit.amax()).clamp_min(1e-6)
    return (heat - floors[:, None]) / unit[:, None]


def _surplus_losses(strength: Tensor, places: Places) -> Tensor:
    """(k * c,) of the strongest cells that belong to no place."""
    beside = strength[:, ~places.near.any(0)]
    return torch.relu(beside.topk(min(SURPLUS_CELLS, beside.shape[1])).values - ABSENT).flatten()


def _share_losses(strength: Tensor, owners: Tensor, pixels: Tensor) -> Tensor:
    """(N,) what the owner's share beside the strongest other of (k, P) strengths is short of `OWN` at its pixel.

    Beside the strongest other one, not beside all: that share can be reached whatever their number. As a difference instead
    of a quotient, so that an owner that is nowhere to be seen has a gradient too.
    """
    at = strength[:, pixels]
    is_own = owners == torch.arange(len(at), device=at.device)[:, None]
    own, other = at.masked_fill(~is_own, -torch.inf).amax(0), at.masked_fill(is_own, 0).amax(0)
    return OWN_WEIGHT * torch.relu(OWN * other - (1 - OWN) * own)


def _mixing_losses(strength: Tensor, places: Places) -> Tensor:
    """(N,) attention to other nouns at each place: 0 for a single noun."""
    is_own = places.nouns == torch.arange(len(strength), device=strength.device)[:, None]
    foreign = torch.relu(strength[:, places.pixels] - ABSENT).masked_fill(is_own, 0).sum(0)
    return foreign + _share_losses(strength, places.nouns, places.pixels)


def _binding_losses(heat: Tensor, words: ConceptTokens, places: Places) -> Tensor:
    """(n,) attention to other nouns' attributes at the places of nouns that have any, of (w, P) maps of all words.

    A noun's attributes are one map, their mean, so that a noun with more of them claims no larger share. 0 where fewer than
    two nouns have any: a lone attribute has nothing to be told apart from.
    """
    described = [noun for noun, own in enumerate(words.objects) if len(own) > 1]
    placed = [index for index, noun in enumerate(places.nouns.tolist()) if noun in described]
    if len(described) < 2 or not placed:
        return heat.new_zeros(1)
    attributes = torch.stack([heat[list(words.objects[noun][1:])].mean(0) for noun in described])
    constant = attributes.detach()
    floors = constant.quantile(FLOOR_QUANTILE, dim=1)
    spans = (constant.amax(1) - floors).amax().clamp_min(1e-6)
    attributes = (attributes - floors[:, None]) / spans
    owners = torch.tensor([described.index(int(places.nouns[index])) for index in placed], device=heat.device)
    return _share_losses(attributes, owners, places.pixels[placed])


def picture_losses(
    heat: Tensor,
    grid: Grid,
    words: ConceptTokens,
    counts: tuple[int, ...],
    spacing: float | None = None,
    boxes: NounBoxes | None = None,
) -> PictureLosses:
    """Losses of one picture. Differentiable.

    Args:
        heat: (w, h * w) attention to each word, as `words` orders them.
        grid: (h, w).
        counts: per noun, how many are asked for.
        spacing: least distance between two instances, as a share of the working grid's shorter side; None for
            `map_spacing`.
        boxes: per noun, where its instances are to be; None where the maps say it.
    """
    working = working_grid(grid)
    blurred = smoothed(area_pooled(heat, grid, working), working)
    nouns = blurred[: len(counts)]
    shown = pick_places(nouns.detach(), working, counts, spacing)
    strength = _strengths(nouns, shown)
    places = shown if boxes is None else places_in_boxes(boxes, working, heat.device)
    presence = torch.relu(PRESENT - strength[places.nouns, places.pixels])
    surplus = _surplus_losses(strength, places)
    semantic = _mixing_losses(strength, places) if len(counts) > 1 else heat.new_zeros(1)
    if words.bound:
        semantic = torch.cat([semantic, _binding_losses(blurred, words, places)])
    worst = torch.cat([presence / PRESENT, surplus / (1 - ABSENT), semantic / (OWN_WEIGHT * OWN)]).detach().amax()
    return PictureLosses(presence.sum() + surplus.sum(), semantic.sum(), worst.clamp_max(1))
