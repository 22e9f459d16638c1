"""What Generate Until Right may spend: costs are counted in images that are sampled without steering."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

STEERING_COST = 0.4
"""What ISAC fast adds to an image of cost 1, all of it in the steps that are steered: the largest of the column *fast* in
docs/measurements.md, 0.37 for Z-Image at cfg 1, rounded up. Where two prompts are sampled, it is less."""


@dataclass
class Budget:
    """What one execution spends.

    Attributes:
        limit: 0 is none.
        steps: of an image.
        steered: the steps of an image that are steered.
        spent: so far.
    """

    limit: float
    steps: int
    steered: range = range(0)
    spent: float = 0.0

    @property
    def left(self) -> float:
        """What may still be spent."""
        return self.limit - self.spent if self.limit else inf

    def allows(self, cost: float) -> bool:
        """Whether so much more fits; the first image always does."""
        return not self.limit or not self.spent or self.spent + cost <= self.limit

    def cost(self, first: int, last: int) -> float:
        """Of the steps of an image from `first` up to `last`."""
        cost = (last - first) / self.steps
        if not self.steered:
            return cost
        steered = range(max(first, self.steered.start), min(last, self.steered.stop))
        return cost + STEERING_COST * len(steered) / len(self.steered)
