"""Our way to a layout: the noun's own cells, parted into instances that are followed through the video."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from ...attention import Grid, smoothed
from ..layout import Layouts
from ..settings import RobustSettings
from .head import instance_features
from .instances import split_at_dips, split_by_attention
from .nouns import find_nouns
from .refinement import NounInstances, refine_video


@torch.no_grad()
def read_robust(
    queries: Tensor,
    keys: Tensor,
    nouns: Tensor,
    grid: Grid,
    asked: Sequence[int],
    settings: RobustSettings,
    heads: Callable[[], Tensor] | None = None,
) -> Layouts:
    """Layouts of a video, counted and corrected as a whole; tensors as in `Reading`.

    Attention stays where it is; what is left of it, some numbers per cell, is worked on by the CPU.
    """
    places = find_nouns(nouns, grid, heads, settings)
    around = places.cells.any(0).to(queries.device)
    features, head = instance_features(queries, keys, around, settings.components)
    features = features.cpu()
    blurred = [_blurred(*parts, settings) for parts in zip(places.maps, places.cells, asked, strict=True)]
    things = [
        [_instances(*parts, settings) for parts in zip(own_maps, own_cells, features, strict=True)]
        for own_maps, own_cells in zip(blurred, places.cells, strict=True)
    ]
    instances = [
        NounInstances.of(own, None if noun in places.unread else number, settings)
        for noun, (own, number) in enumerate(zip(things, asked, strict=True))
    ]
    before, after = refine_video(instances, (queries.shape[0], *grid), settings)
    left_alone = sorted(places.unread)
    after[left_alone] = before[left_alone]
    counts = torch.tensor([[len(frame) for frame in own] for own in things])
    return Layouts(before, after, counts, tuple(asked), torch.full((len(queries),), head), grid, places.unread)


def _blurred(maps: Tensor, cells: Tensor, asked: int, settings: RobustSettings) -> Tensor:
    """(F, h, w) map of one noun without detail that is small beside its things, so that one large thing is not many."""
    side = math.sqrt(int(cells.sum()) / len(cells) / max(asked, 1))
    rounds = round(2 * (settings.detail * side) ** 2)  # of a variance of half a squared cell each
    flat = maps.flatten(1)
    for _ in range(rounds - 1):  # they were blurred once
        flat = smoothed(flat, (maps.shape[1], maps.shape[2]))
    return flat.view(maps.shape)


def _instances(strength: Tensor, cells: Tensor, features: Tensor, settings: RobustSettings) -> list[Tensor]:
    """(h, w) bool masks of one noun's things in one frame."""
    regions = split_at_dips(strength, cells, settings.dip, settings.least_cells)
    parts = [part for region in regions for part in split_by_attention(region, strength, features, settings)]
    return [torch.zeros(cells.numel(), dtype=torch.bool).index_fill(0, part, True).view(cells.shape) for part in parts]
