"""Examples in batches, made in this process or in workers. The same batches come out whatever makes them."""

from __future__ import annotations

import itertools
import signal
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from headcount.core.t2icount.examples import Examples
from headcount.core.t2icount.transform import Example
from torch import Tensor
from torch.utils.data import DataLoader, Dataset


@dataclass(frozen=True)
class Batch:
    """B examples.

    Attributes:
        pixels: (B, 3, w, w) -1 to 1.
        density, region: (B, 1, g, g), see `Example`.
        nouns: B of them.
    """

    pixels: Tensor
    density: Tensor
    region: Tensor
    nouns: Sequence[str]

    def __len__(self) -> int:
        return len(self.nouns)

    def parts(self, count: int) -> Iterator[Batch]:
        """At most `count` batches of nearly equal size."""
        edges = [round(index * len(self) / count) for index in range(count + 1)]
        for start, end in itertools.pairwise(edges):
            if end > start:
                rows = slice(start, end)
                yield Batch(self.pixels[rows], self.density[rows], self.region[rows], self.nouns[rows])

    def to(self, device: torch.device) -> Batch:
        """On another device."""
        moved = (part.to(device, non_blocking=True) for part in (self.pixels, self.density, self.region))
        return Batch(*moved, self.nouns)

    def pin_memory(self) -> Batch:
        """In memory that a GPU reads directly; the loader calls this."""
        return Batch(self.pixels.pin_memory(), self.density.pin_memory(), self.region.pin_memory(), self.nouns)


class _Numbered(Dataset[Example]):
    """Takes (epoch, index), so that a worker needs no state of its own."""

    def __init__(self, examples: Examples) -> None:
        self._examples = examples

    def __getitem__(self, key: tuple[int, int]) -> Example:
        return self._examples.example(*key)


def gathered(examples: Sequence[Example]) -> Batch:
    """Stack examples into a batch."""
    stacked = (torch.stack([getattr(e, name) for e in examples]) for name in ("pixels", "density", "region"))
    return Batch(*stacked, [e.noun for e in examples])


def batches_of(
    epoch: int, examples: Examples, size: int, first: int, workers: int, is_pinned: bool
) -> DataLoader[Batch]:
    """One epoch's batches, in its order; the last one may be smaller.

    Args:
        size: examples per batch.
        first: batches to leave out at the beginning, because they are done.
        workers: processes that prepare batches; 0 prepares them in this one.
        is_pinned: hand them over in pinned memory.
    """
    order = examples.order(epoch)
    keys = [[(epoch, index) for index in order[start : start + size]] for start in range(0, len(order), size)]
    return DataLoader(
        _Numbered(examples),
        batch_sampler=keys[first:],
        collate_fn=gathered,
        num_workers=workers,
        pin_memory=is_pinned,
        worker_init_fn=_leave_interrupts_to_parent,
    )


def _leave_interrupts_to_parent(_worker: int) -> None:
    """Ctrl-C goes to every process of a terminal; the training process decides when to stop."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
