"""What an objective is told about the prompt."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class PromptTarget:
    """What one prompt asks for.

    Attributes:
        tokens: per counted noun, its token positions in the model's text context.
        counts: per counted noun, how many are asked for.
        attributes: per counted noun, the token positions of each of its attributes ("red", "striped").
    """

    tokens: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]
    attributes: tuple[tuple[tuple[int, ...], ...], ...] = ()

    @property
    def instances(self) -> int:
        """N, all nouns together."""
        return sum(self.counts)
