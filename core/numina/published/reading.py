"""The authors' way to a layout: clusters of one head's self-attention that overlap with the noun, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from ...attention import Grid
from ..layout import Layouts
from ..settings import PublishedSettings
from .heads import best_heads
from .proposals import clusters, focus_mask, instances
from .refinement import refine_frames


@torch.no_grad()
def read_published(
    queries: Tensor, keys: Tensor, nouns: Tensor, grid: Grid, asked: Sequence[int], settings: PublishedSettings
) -> Layouts:
    """Layouts as the paper and the released code make them; tensors as in `Reading`.

    The clusters of a frame do not depend on the noun and are made once for all of them.
    """
    heads, components = best_heads(queries, keys, grid, settings)
    focus = focus_mask(rearrange(nouns.cpu(), "k f (h w) -> k f h w", h=grid[0]), settings)
    masks = []
    for frame, own in enumerate(components.cpu()):  # mean shift wants float64, which not every device has
        regions = clusters(own, grid, settings)
        masks.append(torch.stack([instances(regions, noun[frame], settings.overlap) for noun in focus]))
    before = torch.stack(masks, dim=1)
    counts = before.amax((-1, -2)).long()
    after = torch.stack([refine_frames(own, number, settings) for own, number in zip(before, asked, strict=True)])
    return Layouts(before, after, counts, tuple(asked), heads.cpu(), grid)
