"""The attention maps of one picture, made in bounded memory: one self-attention map, and blocks of rows beside it."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import CountError
from .aggregate import AttentionMaps
from .calls import AttentionCall, Grid, Kind
from .grids import pixel_sources, resize_keys, resize_queries
from .rows import PictureRows

_MOST_ROWS = 512


@dataclass
class _SelfSum:
    """Self-attention on the target grid, summed over heads and layers.

    Layers on coarser grids are added up there first, since resizing is linear; finer ones are never kept whole.
    """

    target: Grid
    total: Tensor
    coarse: dict[tuple[Grid, Grid], Tensor] = field(default_factory=dict)

    def add(self, call: AttentionCall, rows: Tensor, sums: Tensor) -> None:
        grids = (call.grid, call.image_grid or call.grid)
        if grids == (self.target, self.target):
            self.total[rows] += sums
        elif call.grid[0] * call.grid[1] > self.target[0] * self.target[1]:
            self._spread(grids, rows, sums)
        else:
            if grids not in self.coarse:
                self.coarse[grids] = sums.new_zeros(call.queries.shape[2], sums.shape[1])
            self.coarse[grids][rows] += sums

    def _spread(self, grids: tuple[Grid, Grid], rows: Tensor, sums: Tensor) -> None:
        """Add rows of a finer grid to the pixels that they are a part of."""
        pixels = torch.arange(len(self.total), device=rows.device)
        index, weight = pixel_sources(pixels, grids[0], self.target, sums.dtype)
        resized = resize_keys(sums, grids[1], self.target)
        for source, share in zip(index.T, weight.T, strict=True):
            inside = (source >= rows[0]) & (source <= rows[-1])
            self.total[inside] += share[inside, None] * resized[source[inside] - rows[0]]

    def finish(self) -> Tensor:
        """(P, P), with the coarser layers resized a few rows at a time."""
        pixels = torch.arange(len(self.total), device=self.total.device)
        for grids, sums in self.coarse.items():
            for some in pixels.split(_MOST_ROWS):
                index, weight = pixel_sources(some, grids[0], self.target, sums.dtype)
                by_query = sum(w[:, None] * sums[i] for i, w in zip(index.T, weight.T, strict=True))
                self.total[some] += resize_keys(by_query, grids[1], self.target)
        return self.total


def head_counts(calls: list[AttentionCall]) -> dict[Kind, int]:
    """How many heads of all calls look at image tokens, and how many at text tokens."""
    kinds: tuple[Kind, ...] = ("self", "cross")
    return {kind: sum(c.queries.shape[1] for c in calls if c.columns(kind) is not None) for kind in kinds}


@torch.no_grad()
def picture_maps(calls: list[AttentionCall], item: int, target: Grid) -> AttentionMaps:
    """What `aggregate(calls, target)` gives for one picture, without graph (ISAC, eq. 3 and 4).

    Args:
        item: which picture of the batch.

    Returns:
        Maps of a batch of one, in float32, or float64 for a float64 model; the caller may overwrite them.

    Raises:
        CountError: no self-attention or no cross-attention was recorded.
    """
    heads = head_counts(calls)
    for kind, many in heads.items():
        if not many:
            raise CountError(f"the model made no {kind}-attention call that could be recorded")
    pixels, like = target[0] * target[1], PictureRows(calls[0], item)
    own = _SelfSum(target, torch.zeros(pixels, pixels, dtype=like.dtype, device=calls[0].queries.device))
    cross: dict[Grid, Tensor] = {}
    for call in calls:
        picture = PictureRows(call, item)
        for rows in picture.blocks(picture.all_rows()):
            sums = picture.head_sums(rows)
            image, text = call.columns("self"), call.columns("cross")
            if image is not None:
                own.add(call, rows, sums[:, image])
            if text is not None:
                part = sums[:, text]
                if call.grid not in cross:
                    cross[call.grid] = part.new_zeros(call.queries.shape[2], part.shape[1])
                cross[call.grid][rows] += part
    resized = [resize_queries(part[None], grid, target) for grid, part in cross.items()]
    words = torch.stack(resized).sum(0) / heads["cross"]
    return AttentionMaps(own.finish().div_(heads["self"])[None], words, target)
