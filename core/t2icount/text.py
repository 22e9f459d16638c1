"""What a noun becomes in the text tower."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class ClassText:
    """What the text tower makes of B nouns.

    Attributes:
        hidden: (B, T, W) last hidden states.
        vector: (B, W) their mean over the noun's own tokens.
        mask: (B, T) 1 on the noun's own tokens, else 0.
    """

    hidden: Tensor
    vector: Tensor
    mask: Tensor

    def __len__(self) -> int:
        return len(self.hidden)

    def __getitem__(self, rows: slice | Tensor) -> ClassText:
        return ClassText(self.hidden[rows], self.vector[rows], self.mask[rows])

    def each_repeated(self, times: int) -> ClassText:
        """Every noun `times` times in a row: (B * times) nouns."""
        return ClassText(*(part.repeat_interleave(times, 0) for part in (self.hidden, self.vector, self.mask)))


def class_text(hidden: Tensor, mask: Tensor) -> ClassText:
    """Mean over a noun's own tokens (spec: c = sum(h * mask) / sum(mask)).

    Args:
        hidden: (B, T, W).
        mask: (B, T), at least one 1 per row.
    """
    weights = mask.to(hidden).unsqueeze(-1)
    return ClassText(hidden, (hidden * weights).sum(1) / weights.sum(1), mask.to(hidden))
