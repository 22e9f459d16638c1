"""The authors' way to a layout: clusters of one head's self-attention that overlap with the noun, frame by frame."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from ..attention.calls import Grid
from .components import principal_components
from .focus import focus_mask
from .head_scores import score_heads
from .layout import Layouts, instances
from .probabilities import head_chunks, self_probabilities
from .proposals import clusters
from .refinement import Centre, refine
from .settings import ClusterSettings


@torch.no_grad()
def read_clusters(
    queries: Tensor, keys: Tensor, nouns: Tensor, grid: Grid, asked: Sequence[int], settings: ClusterSettings
) -> Layouts:
    """Layouts as the paper and the released code make them; tensors as in `Reading`.

    The clusters of a frame do not depend on the noun and are made once for all of them.
    """
    heads, components = best_heads(queries, keys, grid, settings)
    focus = focus_mask(rearrange(nouns.cpu(), "k f (h w) -> k f h w", h=grid[0]), settings)
    found = []
    for frame, own in enumerate(components.cpu()):  # mean shift wants float64, which not every device has
        regions = clusters(own, grid, settings)
        found.append(torch.stack([instances(regions, noun[frame], settings.overlap) for noun in focus]))
    before = torch.stack(found, dim=1)
    counts = before.amax((-1, -2)).long()
    after = torch.stack([_refined(own, number, settings) for own, number in zip(before, asked, strict=True)])
    return Layouts(before, after, counts, tuple(asked), heads.cpu(), grid)


def _refined(before: Tensor, asked: int, settings: ClusterSettings) -> Tensor:
    """(F, h, w) layouts of one noun, frame by frame, each with the places of the frame before."""
    frames, earlier = list[Tensor](), list[Centre]()
    for layout in before:
        after, earlier = refine(layout, int(layout.amax()), asked, earlier, settings)
        frames.append(after)
    return torch.stack(frames)


def best_heads(queries: Tensor, keys: Tensor, grid: Grid, settings: ClusterSettings) -> tuple[Tensor, Tensor]:
    """The self-attention head of each frame that shows instances best, and its components.

    Returns:
        (F,) heads and (F, P, 3) components.
    """
    chosen = [
        _best_head(own_queries, own_keys, grid, settings) for own_queries, own_keys in zip(queries, keys, strict=True)
    ]
    heads, components = zip(*chosen, strict=True)
    return torch.stack(heads), torch.stack(components)


def _best_head(queries: Tensor, keys: Tensor, grid: Grid, settings: ClusterSettings) -> tuple[Tensor, Tensor]:
    """Head and (P, 3) components of one frame; queries and keys (H, P, d)."""
    parts = [_scored(queries[part], keys[part], grid, settings) for part in head_chunks(queries, queries.shape[1])]
    scores, components = (torch.cat(part) for part in zip(*parts, strict=True))
    best = scores.argmax()
    if settings.head_components == "first3":
        components = principal_components(self_probabilities(queries[best], keys[best]))
        return best, components
    return best, components[best]


def _scored(queries: Tensor, keys: Tensor, grid: Grid, settings: ClusterSettings) -> tuple[Tensor, Tensor]:
    """(H,) scores of some heads and the (H, P, 3) components that were scored."""
    attention = self_probabilities(queries, keys)
    if settings.head_components == "first3":
        components = attention[..., :3] - attention[..., :3].mean(-2, keepdim=True)
    else:
        components = principal_components(attention)
    return score_heads(components, grid, settings), components
