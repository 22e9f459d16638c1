"""What was counted in a batch of pictures: the result of every counter, and what checks and searches read."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ..errors import CountError

Point = tuple[float, float]
"""(x, y) in pixels of the picture."""


@dataclass(frozen=True)
class Counted:
    """Counts of N pictures and K nouns. Travels as COUNTED.

    Attributes:
        nouns: the K nouns, as they were asked for.
        numbers: (N, K) counts on the CPU, float32, 0 or more; a counting network's are not whole.
        points: per picture and noun, where the things are, strongest first; empty tuples where a counter gives none.
    """

    nouns: tuple[str, ...]
    numbers: Tensor
    points: tuple[tuple[tuple[Point, ...], ...], ...]

    def __post_init__(self) -> None:
        if self.numbers.ndim != 2 or self.numbers.shape[1] != len(self.nouns) or len(self.points) != len(self.numbers):
            raise CountError(
                f"counts of shape {tuple(self.numbers.shape)} and points of {len(self.points)} pictures "
                f"do not fit {len(self.nouns)} nouns"
            )

    @property
    def rounded(self) -> Tensor:
        """(N, K) whole counts, int64; halves go up."""
        return (self.numbers + 0.5).floor().long()
