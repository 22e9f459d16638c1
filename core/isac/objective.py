"""The objective of one sampling step, from attention maps to one number per picture.

Reference: "ISAC: Training-Free Instance-to-Semantic Attention Control" (ECCV 2026; arXiv 2505.20935), equations 5 to 14.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..attention.aggregate import AttentionMaps, aggregate, normalised
from ..attention.calls import AttentionCall
from ..attention.foreground import noun_columns
from .differentiate import Pull, StepLosses, pulls_of
from .losses import max_pairwise_overlap
from .masks import instance_masks
from .schedule import LossWeights
from .target import Target


def paper_losses(maps: AttentionMaps, target: Target, weights: LossWeights) -> StepLosses:
    """ISAC's objective as published (eq. 5), on maps scaled to 0..1 (eq. 14) and masks that are not scaled.

    Args:
        maps: raw maps of one model call, as `aggregate` gives them.
        target: the same for all pictures of the batch.
    """
    scaled = normalised(maps)
    instance, semantic = [], []
    for item in range(len(scaled.self_attention)):
        masks, _ = instance_masks(scaled, item, target.tokens, target.instances)
        instance.append(max_pairwise_overlap(masks))
        spread = scaled.self_attention[item] @ noun_columns(scaled.cross_attention[item], target.tokens)
        semantic.append(max_pairwise_overlap(spread.T))
    by_instance, by_class = torch.stack(instance), torch.stack(semantic)
    return StepLosses(by_instance, by_class, weights.instance * by_instance + weights.semantic * by_class)


@dataclass(frozen=True)
class PaperObjective:
    """ISAC as published, over all recorded attention."""

    target: Target
    weights: LossWeights

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def __call__(self, calls: list[AttentionCall]) -> tuple[StepLosses, list[Pull]]:
        return pulls_of(lambda own: paper_losses(aggregate(own), self.target, self.weights), calls)
