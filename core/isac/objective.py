"""The objective of one sampling step, from attention maps to one number per picture.

Reference: "ISAC: Training-Free Instance-to-Semantic Attention Control" (ECCV 2026; arXiv 2505.20935), equations 5 to 14.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention.aggregate import AttentionMaps, normalised
from ..attention.foreground import noun_columns
from .losses import max_pairwise_overlap
from .masks import instance_masks
from .schedule import LossWeights


@dataclass(frozen=True)
class Target:
    """What one prompt asks for.

    Attributes:
        tokens: per counted noun, its token positions in the model's text context.
        counts: per counted noun, how many are asked for.
    """

    tokens: tuple[tuple[int, ...], ...]
    counts: tuple[int, ...]

    @property
    def instances(self) -> int:
        """N, all nouns together."""
        return sum(self.counts)


@dataclass(frozen=True)
class StepLosses:
    """Losses of one step, one value per picture.

    Attributes:
        instance: (B,) overlap of instances, L_ins.
        semantic: (B,) overlap of classes, L_cls; 0 for a single class.
        total: (B,) their weighted sum, differentiable.
    """

    instance: Tensor
    semantic: Tensor
    total: Tensor


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
