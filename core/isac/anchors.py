"""Where each asked instance should be: the strongest separate places of the nouns' own attention."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention import Grid


@dataclass(frozen=True)
class Anchor:
    """A place for one instance.

    Attributes:
        noun: index of its noun.
        pixel: index into the h * w cells of the grid.
    """

    noun: int
    pixel: int


def cell_distances(grid: Grid, device: torch.device) -> Tensor:
    """(P, P) Euclidean distances between the cells of a grid, in cells."""
    y, x = torch.meshgrid(torch.arange(grid[0], device=device), torch.arange(grid[1], device=device), indexing="ij")
    places = torch.stack([y.flatten(), x.flatten()], dim=1).float()
    return torch.cdist(places, places)


@torch.no_grad()
def pick_anchors(heat: Tensor, counts: tuple[int, ...], distances: Tensor, spacing: float) -> tuple[Anchor, ...]:
    """Choose a place for every asked instance, the strongest first, none nearer to another than `spacing`.

    A noun's map is compared with the other nouns' maps, so that each place goes to the noun that owns it most.

    Args:
        heat: (k, P) attention to each noun, smoothed.
        counts: per noun, how many instances are asked for.
        distances: (P, P) from `cell_distances`.
        spacing: least distance between two anchors, in cells.

    Returns:
        Anchors, `sum(counts)` of them. Where no free place is left, the least bad one is taken.
    """
    relative = heat / heat.amax(1, keepdim=True).clamp_min(torch.finfo(heat.dtype).tiny)
    if len(heat) > 1:
        strongest = relative.topk(2, dim=0)
        others = torch.where(
            strongest.indices[0] == torch.arange(len(heat), device=heat.device)[:, None],
            strongest.values[1],
            strongest.values[0],
        )
        relative = relative - 0.5 * others
    left, anchors = list(counts), []
    score = relative.clone()
    for _ in range(sum(counts)):
        open_nouns = torch.tensor([count > 0 for count in left], device=heat.device)
        best = int(torch.where(open_nouns[:, None], score, -torch.inf).argmax())
        noun, pixel = divmod(best, heat.shape[1])
        anchors.append(Anchor(noun, pixel))
        left[noun] -= 1
        score = torch.where(distances[pixel] < spacing, score - 4.0, score)
    return tuple(anchors)
