"""Where each noun is: as the mean of the heads shows it, or the head that shows it best where the mean blurs it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from ...attention import Grid, smoothed
from ..settings import RobustSettings


@dataclass(frozen=True)
class NounPlaces:
    """What shows each of K nouns, on the CPU.

    Attributes:
        maps: (K, F, h, w) the map that each noun was found in, see `strengths`.
        cells: (K, F, h, w) bool, where it is; no cell belongs to two nouns.
        unread: nouns that may be there or not: their maps are no noise, but have no two sides either.
    """

    maps: Tensor
    cells: Tensor
    unread: frozenset[int]


def strengths(nouns: Tensor, grid: Grid) -> Tensor:
    """(K, F, P) noun response to (K, F, h, w), blurred a little so that single cells of noise are not peaks."""
    flat = smoothed(rearrange(nouns.float(), "k f p -> (k f) p"), grid)
    return rearrange(flat, "(k f) (h w) -> k f h w", k=len(nouns), h=grid[0])


def find_nouns(nouns: Tensor, grid: Grid, heads: Callable[[], Tensor] | None, settings: RobustSettings) -> NounPlaces:
    """Find the cells that show each noun.

    The mean of the heads is the surest map of a noun that it shows (on the demo models right for 80 % of the nouns of
    Shapes, the best single head for 72 %), but heads that know nothing blur it. A noun with a contrast below
    `settings.contrast` there is looked for in the head whose map has the clearest two sides. Where this head's map is not
    parted clearly either, it is noise, so that the noun is nowhere, or it is not: then nobody can tell. Where no noun at all
    can be read, nobody can tell of any.

    Args:
        nouns: (K, F, P) mean response.
        heads: gives the (H, K, F, P) response of each head; None where there is only the mean.
    """
    maps = strengths(nouns, grid).cpu()
    cells = noun_mask(maps, settings.contrast)
    shown = part(maps.flatten(1).double()).contrast >= settings.contrast
    unread, dim = set[int](), (~shown).nonzero().flatten().tolist()
    responses = None
    for noun in dim:
        free = ~cells.any(0)  # a noun that is nowhere looks at the things of others
        if heads is None or int(free.sum()) < 2:
            break
        responses = heads().cpu() if responses is None else responses
        own, clearest, smooth = _best_head(responses, noun, free)
        if clearest >= settings.clear:
            cells[noun], shown[noun] = own, True
        elif smooth >= settings.smooth:
            unread.add(noun)
    return NounPlaces(maps, cells, frozenset(unread) if bool(shown.any()) else frozenset(range(len(maps))))


@dataclass(frozen=True)
class Parting:
    """How rows of values fall into two classes with the least variance in them (Otsu); (K,) each.

    Attributes:
        threshold: between the classes.
        contrast: how many times higher the mean of the upper class is than that of the lower one.
        share: of the variance that lies between the classes, 0 to 1: 1 where each class has one value, 0.64 for normally
            distributed values, 0.75 for evenly distributed ones.
    """

    threshold: Tensor
    contrast: Tensor
    share: Tensor


def part(values: Tensor) -> Parting:
    """Part (K, n) values, all at least 0."""
    ordered = values.sort(dim=1).values
    number = values.shape[1]
    below = torch.arange(1, number, device=values.device, dtype=values.dtype)
    sums = ordered.cumsum(1)
    low = sums[:, :-1] / below
    high = (sums[:, -1:] - sums[:, :-1]) / (number - below)
    between = below * (number - below) * (high - low).square() / number**2
    best = between.argmax(1, keepdim=True)
    threshold = (ordered.gather(1, best) + ordered.gather(1, best + 1)) / 2
    tiny = torch.finfo(values.dtype).tiny
    contrast = high.gather(1, best) / low.gather(1, best).clamp_min(tiny)
    share = between.gather(1, best) / ordered.var(1, correction=0, keepdim=True).clamp_min(tiny)
    return Parting(threshold[:, 0], contrast[:, 0], share[:, 0])


def noun_mask(maps: Tensor, contrast: float) -> Tensor:
    """Cells that show each noun.

    A map whose upper class is hardly higher than the lower one, over all frames together, shows the noun nowhere. A cell
    belongs to the noun that is strongest there, as it is: a noun that is nowhere looks at the things of others, but less than
    these do.

    Args:
        maps: (K, F, h, w) from `strengths`.
        contrast: least ratio of the means of the two classes.

    Returns:
        (K, F, h, w) bool; no cell belongs to two nouns.
    """
    parting = part(maps.flatten(1).double())
    shows = (parting.contrast >= contrast) & (maps.flatten(1).amax(1) > 0)
    above = (maps >= parting.threshold[:, None, None, None]) & shows[:, None, None, None]
    numbers = torch.arange(len(maps), device=maps.device)[:, None, None, None]
    return above & (maps.argmax(0) == numbers)


def _best_head(responses: Tensor, noun: int, free: Tensor) -> tuple[Tensor, float, float]:
    """The head that shows a noun best: the noun's cells in it, the share of its parting, and its smoothness.

    Args:
        responses: (H, K, F, P).
        free: (F, h, w) bool, cells that are no other noun's; the others are not looked at.
    """
    grid = (free.shape[1], free.shape[2])
    own = strengths(responses[:, noun], grid)
    parting = part(own[:, free].double())
    best = int((parting.contrast.log() * parting.share).argmax())
    strongest = strengths(responses[best], grid).argmax(0) == noun
    found = (own[best] >= parting.threshold[best]) & strongest & free
    return found, float(parting.share[best]), smoothness(responses[best, noun].unflatten(-1, grid), free)


def smoothness(maps: Tensor, where: Tensor) -> float:
    """How alike neighbours in a map are, 0 for noise and up to 1 (Moran's I, over neighbours that share a side).

    Args:
        maps: (F, h, w).
        where: (F, h, w) bool, the cells that are looked at.
    """
    inside = where.to(maps)
    off = (maps - (maps * inside).sum() / inside.sum()) * inside
    pairs = (off[:, 1:] * off[:, :-1]).sum() + (off[..., 1:] * off[..., :-1]).sum()
    number = (inside[:, 1:] * inside[:, :-1]).sum() + (inside[..., 1:] * inside[..., :-1]).sum()
    variance = off.square().sum() / inside.sum()
    return float(pairs / number / variance.clamp_min(torch.finfo(maps.dtype).tiny))
