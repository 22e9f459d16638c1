"""The layouts of all nouns and frames: what was found in each, and what it is to become."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ..attention import Grid

REMOVED = -1
"""A cell of an instance that is to go."""

FIRST_ADDED = 100
"""Added instances are numbered from here, found ones below it from 1."""

MAX_INSTANCES = FIRST_ADDED - 1


@dataclass(frozen=True)
class Layouts:
    """What was found and what it is to become; K nouns, F frames. On the CPU.

    Attributes:
        before: (K, F, h, w) int16: 0 background, 1 to 99 instances.
        after: (K, F, h, w) int16: the same with removed cells -1 and added instances 100 and up.
        counts: (K, F) instances found.
        asked: how many of each noun are wanted.
        heads: (F,) the self-attention head that was read in each frame, `AVERAGED` where it was the mean of several.
        grid: (h, w).
        unread: nouns that no map shows clearly enough to tell whether they are there; they are left alone.
    """

    before: Tensor
    after: Tensor
    counts: Tensor
    asked: tuple[int, ...]
    heads: Tensor
    grid: Grid
    unread: frozenset[int] = frozenset()

    @cached_property
    def changed(self) -> bool:
        """Whether anything is to be added or removed."""
        return bool(((self.after == REMOVED) | (self.after >= FIRST_ADDED)).any())

    @classmethod
    def of_boxes(cls, inside: Sequence[Sequence[Tensor]], frames: int, grid: Grid) -> Layouts:
        """A layout that somebody has drawn: each noun in its boxes, in every frame, and nowhere else.

        Args:
            inside: per noun, the (h, w) bool cells of each of its boxes; a cell of two of them is the first one's.
            frames: F.
            grid: (h, w).
        """
        before = torch.zeros(len(inside), frames, *grid, dtype=torch.int16)
        after = torch.full_like(before, REMOVED)
        for noun, boxes in enumerate(inside):
            for number, cells in reversed(list(enumerate(boxes, FIRST_ADDED))):
                after[noun, :, cells] = number
        counts = torch.zeros(len(inside), frames, dtype=torch.int64)
        return cls(before, after, counts, tuple(map(len, inside)), torch.zeros(frames), grid)

    def text(self, nouns: Sequence[str]) -> str:
        """One line per noun: asked, found in each frame, most added and removed in a frame; or that it could not be read."""
        return "\n".join(self._line(index, noun) for index, noun in enumerate(nouns))

    def _line(self, noun: int, name: str) -> str:
        if noun in self.unread:
            return f"{name}: asked {self.asked[noun]}, not clear enough to be counted, left alone"
        counted = " ".join(str(count) for count in self.counts[noun].tolist())
        frames = list(zip(self.before[noun], self.after[noun], strict=True))
        added = max(len(after[after >= FIRST_ADDED].unique()) for _, after in frames)
        removed = max(len(before[(after == REMOVED) & (before > 0)].unique()) for before, after in frames)
        return f"{name}: asked {self.asked[noun]}, found {counted}, added {added}, removed {removed}"
