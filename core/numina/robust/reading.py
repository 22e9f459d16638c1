"""Our way to a layout: the noun's own cells, parted into instances that are followed through the video."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...attention import Grid
from ..layout import Layouts
from ..settings import RobustSettings
from .head import instance_features
from .instances import noun_cells, split_at_dips, split_by_attention, strengths
from .refinement import NounInstances, refine_video


@torch.no_grad()
def read_robust(
    queries: Tensor, keys: Tensor, nouns: Tensor, grid: Grid, asked: Sequence[int], settings: RobustSettings
) -> Layouts:
    """Layouts of a video, counted and corrected as a whole; tensors as in `Reading`.

    Attention stays where it is; what is left of it, some numbers per cell, is worked on by the CPU.
    """
    maps = strengths(nouns, grid).cpu()
    cells = noun_cells(maps, settings.contrast)
    features, head = instance_features(queries, keys, cells.any(0).to(queries.device), settings.components)
    features = features.cpu()
    things = [
        [_instances(*parts, settings) for parts in zip(own_maps, own_cells, features, strict=True)]
        for own_maps, own_cells in zip(maps, cells, strict=True)
    ]
    instances = [NounInstances.of(own, number, settings) for own, number in zip(things, asked, strict=True)]
    before, after = refine_video(instances, (queries.shape[0], *grid), settings)
    counts = torch.tensor([[len(frame) for frame in own] for own in things])
    return Layouts(before, after, counts, tuple(asked), torch.full((len(queries),), head), grid)


def _instances(strength: Tensor, cells: Tensor, features: Tensor, settings: RobustSettings) -> list[Tensor]:
    """(h, w) bool masks of one noun's things in one frame."""
    regions = split_at_dips(strength, cells, settings.dip, settings.least_cells)
    parts = [part for region in regions for part in split_by_attention(region, strength, features, settings)]
    return [torch.zeros(cells.numel(), dtype=torch.bool).index_fill(0, part, True).view(cells.shape) for part in parts]
