"""What the text tower makes of the nouns of a data set; each noun is read once, since the tower is not trained."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from headcount.core.t2icount.network import CountNetwork
from headcount.core.t2icount.text import ClassText
from torch import Tensor

NounTokens = Callable[[str], tuple[Tensor, Tensor]]
"""A noun to its (T,) CLIP ids with start, end and padding, and (T,) 1 on its own tokens."""


class NounTexts:
    """Nouns to text rows, on the network's device."""

    def __init__(self, network: CountNetwork, tokens: NounTokens) -> None:
        self._network, self._tokens = network, tokens
        self._known: dict[str, ClassText] = {}

    def rows(self, nouns: Sequence[str]) -> ClassText:
        """One row per noun, in the order given."""
        parts = [self._row(noun) for noun in nouns]
        return ClassText(*(torch.cat([getattr(part, name) for part in parts]) for name in ("hidden", "vector", "mask")))

    def _row(self, noun: str) -> ClassText:
        if noun not in self._known:
            device = next(self._network.parameters()).device
            tokens, mask = self._tokens(noun)
            self._known[noun] = self._network.embed_text(tokens[None].to(device), mask[None].to(device))
        return self._known[noun]
