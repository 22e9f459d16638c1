"""Which cells of a video show a noun: the threshold that parts its own map best, and no other noun stronger there."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor

from ..attention.calls import Grid
from ..isac.anchors import smoothed


def strengths(nouns: Tensor, grid: Grid) -> Tensor:
    """(K, F, P) noun response to (K, F, h, w), blurred a little so that single cells of noise are not peaks."""
    flat = smoothed(rearrange(nouns.float(), "k f p -> (k f) p"), grid)
    return rearrange(flat, "(k f) (h w) -> k f h w", k=len(nouns), h=grid[0])


def noun_cells(maps: Tensor, contrast: float) -> Tensor:
    """Cells that show each noun.

    The threshold parts a noun's map, over all frames together, into the two classes with the least variance in them
    (Otsu). A map whose upper class is hardly higher than the lower one shows the noun nowhere. A cell belongs to the noun
    that is strongest there, as it is: a noun that is nowhere looks at the things of others, but less than these do.

    Args:
        maps: (K, F, h, w) from `strengths`.
        contrast: least ratio of the means of the two classes.

    Returns:
        (K, F, h, w) bool; no cell belongs to two nouns.
    """
    threshold, low, high = _best_parting(maps.flatten(1).double())
    shows = (high >= contrast * low) & (high > 0)
    above = (maps >= threshold[:, None, None, None]) & shows[:, None, None, None]
    numbers = torch.arange(len(maps), device=maps.device)[:, None, None, None]
    return above & (maps.argmax(0) == numbers)


def _best_parting(values: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Threshold of each row of (K, n) values, and the means of what is below and of what is not: (K,) each."""
    ordered = values.sort(dim=1).values
    number = values.shape[1]
    below = torch.arange(1, number, device=values.device, dtype=values.dtype)
    sums = ordered.cumsum(1)
    low = sums[:, :-1] / below
    high = (sums[:, -1:] - sums[:, :-1]) / (number - below)
    best = (below * (number - below) * (high - low).square()).argmax(1, keepdim=True)
    threshold = (ordered.gather(1, best) + ordered.gather(1, best + 1)) / 2
    return threshold[:, 0], low.gather(1, best)[:, 0], high.gather(1, best)[:, 0]
