"""The semantic loss: words of different objects keep apart, a noun and its attributes stay together.

Without attributes this is ISAC v1's loss of classes (eq. 12); with them it is repel and bind of v4 (ECCV 2026, phase 2):
L_sem = L_repel + L_bind, with L_repel = max over P_repel of MPO and L_bind = max over P_bind of 1 - MPO.

What v4 leaves open, and what is done here. 1 - MPO means something only on maps up to 1, so each word's map is divided by
its maximum, held constant. The sum is multiplied by the largest of these maxima squared, also constant: v1's losses are
not scaled, and so the semantic loss keeps its weight beside the instance loss.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .losses import max_pairwise_overlap
from .target import PromptTarget


@dataclass(frozen=True)
class ConceptTokens:
    """The words whose maps meet in the semantic loss; maps are columns in this order, nouns first.

    Attributes:
        positions: per word, its token positions.
        objects: per noun, the indices of its own words, its noun first. P_repel is all pairs of words of two objects.
        bound: P_bind, pairs of a noun and one of its attributes.
    """

    positions: tuple[tuple[int, ...], ...]
    objects: tuple[tuple[int, ...], ...]
    bound: tuple[tuple[int, int], ...]

    @property
    def tokens(self) -> tuple[int, ...]:
        """Every token position, once."""
        return tuple(sorted({token for positions in self.positions for token in positions}))

    def within(self, tokens: tuple[int, ...]) -> ConceptTokens:
        """The same words, with positions that count in `tokens`."""
        return replace(self, positions=tuple(tuple(map(tokens.index, positions)) for positions in self.positions))


def words_of(target: PromptTarget, bind: bool) -> ConceptTokens:
    """The nouns of `target`, and with `bind` their attributes."""
    positions = list(target.tokens)
    objects = [[noun] for noun in range(len(positions))]
    for noun, attributes in enumerate(target.attributes if bind else ()):
        for attribute in attributes:
            objects[noun].append(len(positions))
            positions.append(attribute)
    bound = tuple((own[0], word) for own in objects for word in own[1:])
    return ConceptTokens(tuple(positions), tuple(map(tuple, objects)), bound)


def word_scale(spread: Tensor, words: ConceptTokens) -> Tensor:
    """(w,) what each word's map is divided by: (P, w) maps, without graph; all 1 where nothing is bound."""
    highest = spread.detach().amax(0)
    return highest.clamp_min(torch.finfo(highest.dtype).tiny) if words.bound else torch.ones_like(highest)


def repelled(spread: Tensor, words: ConceptTokens) -> tuple[Tensor, Tensor]:
    """Per object and pixel, the strongest of its words, and which word that is: (P, w) to twice (k, P).

    Products of two objects' rows are those of P_repel's pairs.
    """
    values, indices = [], []
    for own in words.objects:
        value, index = spread[:, own[0]], torch.full((len(spread),), own[0], device=spread.device)
        for word in own[1:]:  # of equal ones the first, on every device: scaled maps are often equal where they are 1
            higher = spread[:, word] > value
            value, index = torch.where(higher, spread[:, word], value), torch.where(higher, word, index)
        values.append(value)
        indices.append(index)
    return torch.stack(values), torch.stack(indices)


def unbound(spread: Tensor, pairs: Sequence[tuple[int, int]]) -> Tensor:
    """L_bind, (): the most that a pair's overlap is short of 1; 0 without pairs.

    Two maps that are highest at the same pixel are bound, and get no gradient: their scale could only follow.
    """
    if not pairs:
        return spread.new_zeros(())
    products = [spread[:, one] * spread[:, other] for one, other in pairs]
    missing = torch.relu(torch.stack([1 - product[product.argmax()] for product in products]))
    return missing[missing.argmax()]


def semantic_loss(spread: Tensor, words: ConceptTokens) -> Tensor:
    """L_cls of v1, or L_sem of v4 where words are bound.

    Args:
        spread: (P, w) propagated maps of the words (eq. 7).

    Returns:
        (). Differentiable; scales are constants.
    """
    scale = word_scale(spread, words)
    scaled = spread / scale
    return scale.amax().square() * (max_pairwise_overlap(repelled(scaled, words)[0]) + unbound(scaled, words.bound))
