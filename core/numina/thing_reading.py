"""Our way to a layout: the noun's own cells, parted into things that are followed through the video."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ..attention.calls import Grid
from .apart import part_by_attention
from .layout import Layouts
from .merge_tree import part_at_dips
from .noun_cells import noun_cells, strengths
from .own_head import thing_features
from .settings import ThingSettings
from .video_refinement import NounThings, refine_video


@torch.no_grad()
def read_things(
    queries: Tensor, keys: Tensor, nouns: Tensor, grid: Grid, asked: Sequence[int], settings: ThingSettings
) -> Layouts:
    """Layouts of a video, counted and corrected as a whole; tensors as in `Reading`.

    Attention stays where it is; what is left of it, some numbers per cell, is worked on by the CPU.
    """
    maps = strengths(nouns, grid).cpu()
    cells = noun_cells(maps, settings.contrast)
    features, head = thing_features(queries, keys, cells.any(0).to(queries.device), settings.components)
    features = features.cpu()
    things = [
        [_things(*parts, settings) for parts in zip(own_maps, own_cells, features, strict=True)]
        for own_maps, own_cells in zip(maps, cells, strict=True)
    ]
    found = [NounThings.of(own, number, settings) for own, number in zip(things, asked, strict=True)]
    before, after = refine_video(found, (queries.shape[0], *grid), settings)
    counts = torch.tensor([[len(frame) for frame in own] for own in things])
    return Layouts(before, after, counts, tuple(asked), torch.full((len(queries),), head), grid)


def _things(strength: Tensor, cells: Tensor, features: Tensor, settings: ThingSettings) -> list[Tensor]:
    """(h, w) bool masks of one noun's things in one frame."""
    regions = part_at_dips(strength, cells, settings.dip, settings.least_cells)
    parts = [part for region in regions for part in part_by_attention(region, strength, features, settings)]
    return [torch.zeros(cells.numel(), dtype=torch.bool).index_fill(0, part, True).view(cells.shape) for part in parts]
