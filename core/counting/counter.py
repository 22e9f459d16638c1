"""What counters have in common: whatever counts objects in images has this one method."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from torch import Tensor

from .counted import Counted


class Counter(Protocol):
    """Counts objects in images. Travels as HEADCOUNT_COUNTER, and as T2ICOUNT where it is a T2ICount model.

    One that tells "red cats" from "blue cats" says so by an attribute `reads_attributes`, which is True.
    """

    def count(
        self, images: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None
    ) -> Counted:
        """How many of each noun every image shows.

        Args:
            images: (N, H, W, 3) RGB in 0..1, as ComfyUI's IMAGE.
            nouns: the K nouns to count, in the plural, such as "cats".
            on_progress: called with parts of the work done and parts in all. What it raises ends the count. Nodes pass it by
                keyword, and not at all to a counter that does not take it.

        Returns:
            Counts of the N images and these K nouns, in this order; points, boxes and masks as far as the counter has them.

        Raises:
            CountError: the counter cannot count these images or nouns; the message tells the user why, and what helps.
        """
        ...


def reads_attributes(counter: Counter) -> bool:
    """Whether a counter can be asked for "red cats", and not for "cats" only."""
    return getattr(counter, "reads_attributes", False) is True
