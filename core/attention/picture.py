"""The attention maps of one picture, made in bounded memory: one self-attention map, and blocks of rows beside it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..errors import CountError
from .calls import AttentionCall, Grid, Kind
from .grids import pixel_sources, resize_keys, resize_queries
from .mean_maps import AttentionMaps
from .rows import PictureRows

_MAX_ROWS = 512  # of self-attention that are resized together: the rest of the matrix stays small


def head_counts(calls: list[AttentionCall]) -> dict[Kind, int]:
    """How many heads of all calls look at image tokens, and how many at text tokens."""
    kinds: tuple[Kind, ...] = ("self", "cross")
    return {kind: sum(c.queries.shape[1] for c in calls if c.columns(kind) is not None) for kind in kinds}


def _spread(total: Tensor, grid: Grid, rows: Tensor, resized: Tensor, target: Grid) -> None:
    """Add rows of a finer grid to the pixels of `target` that they are a part of."""
    pixels = torch.arange(len(total), device=rows.device)
    index, weight = pixel_sources(pixels, grid, target, resized.dtype)
    for source, share in zip(index.T, weight.T, strict=True):
        inside = (source >= rows[0]) & (source <= rows[-1])
        total[inside] += share[inside, None] * resized[source[inside] - rows[0]]


@dataclass
class PictureSums:
    """Attention of one picture, summed over heads and layers call by call, without graph (ISAC, eq. 3 and 4).

    Layers on one grid are added up there, since resizing is linear; finer ones than the maps need are never kept whole.

    Attributes:
        item: which picture of the batch.
        kept: on which grid self-attention of a grid is kept: the same, or a coarser one.
    """

    item: int
    kept: Callable[[Grid], Grid]
    _own: dict[tuple[Grid, Grid], Tensor] = field(default_factory=dict)
    _words: dict[Grid, Tensor] = field(default_factory=dict)
    _heads: dict[Kind, int] = field(default_factory=lambda: {"self": 0, "cross": 0})

    @torch.no_grad()
    def add(self, call: AttentionCall) -> None:
        """Take in a call, a block of rows at a time."""
        picture, image, text = PictureRows(call, self.item), call.columns("self"), call.columns("cross")
        for kind, many in head_counts([call]).items():
            self._heads[kind] += many
        for rows in picture.blocks(picture.all_rows()):
            sums = picture.head_sums(rows)
            if image is not None:
                self._add_own(call, rows, sums[:, image])
            if text is not None:
                part = sums[:, text]
                if call.grid not in self._words:
                    self._words[call.grid] = part.new_zeros(call.queries.shape[2], part.shape[1])
                self._words[call.grid][rows] += part

    def _add_own(self, call: AttentionCall, rows: Tensor, sums: Tensor) -> None:
        grid, key_grid = call.grid, call.image_grid or call.grid
        kept = self.kept(grid)
        if kept == grid:
            self._sum((grid, key_grid), sums)[rows] += sums
        else:
            resized = resize_keys(sums, key_grid, kept)
            _spread(self._sum((kept, kept), resized), grid, rows, resized, kept)

    def _sum(self, grids: tuple[Grid, Grid], like: Tensor) -> Tensor:
        if grids not in self._own:
            self._own[grids] = like.new_zeros(grids[0][0] * grids[0][1], like.shape[1])
        return self._own[grids]

    @torch.no_grad()
    def maps(self, target: Grid) -> AttentionMaps:
        """The means on `target`, with the sums of other grids resized a few rows at a time. The sums are used up.

        Returns:
            Maps of a batch of one, in float32, or float64 for a float64 model; the caller may overwrite them.

        Raises:
            CountError: no self-attention or no cross-attention was added.
        """
        for kind, many in self._heads.items():
            if not many:
                raise CountError(f"the model made no {kind}-attention call that could be recorded")
        resized = [resize_queries(part[None], grid, target) for grid, part in self._words.items()]
        words = torch.stack(resized).sum(0) / self._heads["cross"]
        return AttentionMaps(self._own_total(target).div_(self._heads["self"])[None], words, target)

    def _own_total(self, target: Grid) -> Tensor:
        cells = target[0] * target[1]
        first = next(iter(self._own.values()))
        total = self._own.pop((target, target), None)
        if total is None:
            total = first.new_zeros(cells, cells)
        pixels = torch.arange(cells, device=total.device)
        for grids, sums in self._own.items():
            for some in pixels.split(_MAX_ROWS):
                index, weight = pixel_sources(some, grids[0], target, sums.dtype)
                by_query = sum(w[:, None] * sums[i] for i, w in zip(index.T, weight.T, strict=True))
                total[some] += resize_keys(by_query, grids[1], target)
        self._own.clear()
        return total


def picture_maps(calls: list[AttentionCall], item: int, target: Grid) -> AttentionMaps:
    """What `aggregate(calls, target)` gives for one picture, without graph (ISAC, eq. 3 and 4).

    Args:
        item: which picture of the batch.

    Returns:
        Maps of a batch of one, in float32, or float64 for a float64 model; the caller may overwrite them.

    Raises:
        CountError: no self-attention or no cross-attention was recorded.
    """
    cells = target[0] * target[1]
    sums = PictureSums(item, lambda grid: target if grid[0] * grid[1] > cells else grid)
    for call in calls:
        sums.add(call)
    return sums.maps(target)
