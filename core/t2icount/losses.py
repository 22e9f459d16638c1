"""What T2ICount is trained on: a regression loss for the density, and one that ties similarity to where things are.

Reference: Qian et al., "T2ICount" (arXiv 2502.20625), L_reg and L_RRC; all numbers are those of the published training,
which differs from the paper's text: L_reg is structural similarity of masked maps and the L1 distance of normalised
ones. It hardly has a gradient for a picture without objects, there only L_RRC works.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from .config import CounterConfig
from .network import CountMaps

# Of the published training, see the module's docstring.
_SSIM_SIGMA = 1.5
_SSIM_CONSTANTS = (1e-4, 9e-4)
_SSIM_LEVELS = 3
_TINY_SUM, _TINY_AREA = 1e-6, 1e-7
_POSITIVE_WEIGHT = 2.0


@dataclass(frozen=True)
class LossSettings:
    """Thresholds and weights.

    Attributes:
        object_density: a cell belongs to an object from this many objects per cell on (the paper's tau).
        attention: a cell without object is neither for nor against from this fused attention on (the paper's theta).
        shape_weight: of the L1 distance between normalised maps within L_reg.
        similarity_weight: of L_RRC, for each of the two similarity maps; 0 trains without them.
        background_weight: of the things that are counted where there are none; 0 as published. A picture without the noun
            has no other pull on its density, see the module's docstring.
    """

    object_density: float = 1e-3
    attention: float = 0.3
    shape_weight: float = 0.1
    similarity_weight: float = 0.01
    background_weight: float = 0.0


@dataclass(frozen=True)
class Losses:
    """Scalars: the total, and its parts before they are weighted."""

    total: Tensor
    regression: Tensor
    coarse_similarity: Tensor
    fine_similarity: Tensor


@dataclass(frozen=True)
class Evidence:
    """The paper's PNA map, (B, 1, g, g) bool; a cell that is neither is ambiguous and counts for nothing.

    Attributes:
        positive: an object is here.
        negative: none is, and the attention does not claim one.
    """

    positive: Tensor
    negative: Tensor


def gather_evidence(truth: Tensor, region: Tensor, attention: Tensor, settings: LossSettings, scale: float) -> Evidence:
    """Sort the cells into positive, negative and ambiguous ones.

    Args:
        truth: (B, 1, g, g) `scale` times the objects in each cell.
        region: (B, 1, g, g) 1 where attention may excuse a cell, 0 where the noun is known to be absent.
        attention: (B, 1, g, g) fused cross-attention, 0 to 1.
    """
    positive = truth >= settings.object_density * scale
    claimed = attention * region >= settings.attention
    return Evidence(positive, ~positive & ~claimed)


def similarity_loss(similarity: Tensor, evidence: Evidence) -> Tensor:
    """L_RRC: similarity is to be 1 on objects, and at most 0 where none is.

    Args:
        similarity: (B, 1, g, g) cosine, -1 to 1.

    Returns:
        Scalar, mean over the batch.
    """
    positive, negative = (cells.to(similarity) for cells in (evidence.positive, evidence.negative))
    missing = _mean_over((1 - similarity), positive)
    wrong = _mean_over(similarity.clamp_min(0), negative)
    return (_POSITIVE_WEIGHT * missing + wrong).mean()


def regression_loss(density: Tensor, truth: Tensor, settings: LossSettings, scale: float) -> Tensor:
    """L_reg: structural similarity where objects are, and the shape of the whole map.

    Args:
        density: (B, 1, g, g) predicted, `scale` times the objects in each cell.
        truth: (B, 1, g, g) likewise.

    Returns:
        Scalar, mean over the batch.
    """
    mask = (truth > settings.object_density * scale).to(density)
    structure = _structure_loss(density * mask, truth * mask)
    shape = (_normalised(density) - _normalised(truth)).abs().sum((1, 2, 3)).mean()
    background = (density * (1 - mask)).sum((1, 2, 3)).mean() / scale
    return structure + settings.shape_weight * shape + settings.background_weight * background


def counting_loss(
    maps: CountMaps, truth: Tensor, region: Tensor, config: CounterConfig, settings: LossSettings
) -> Losses:
    """L = L_reg + weight * (L_RRC of the coarse and of the fine similarity), in float32.

    Args:
        maps: what the network says, its attention included.
        truth: (B, 1, g, g) `config.density_scale` times the objects in each cell.
        region: (B, 1, g, g), see `gather_evidence`.
    """
    if maps.attention is None:
        raise ValueError("the loss reads the attention: run the network with_attention=True")
    evidence = gather_evidence(truth, region, maps.attention.float(), settings, config.density_scale)
    regression = regression_loss(maps.density.float(), truth, settings, config.density_scale)
    coarse = similarity_loss(maps.coarse_similarity.float(), evidence)
    fine = similarity_loss(maps.fine_similarity.float(), evidence)
    return Losses(regression + settings.similarity_weight * (coarse + fine), regression, coarse, fine)


def _mean_over(values: Tensor, cells: Tensor) -> Tensor:
    """(B,) mean over the chosen cells, 0 where there are none."""
    return (values * cells).sum((1, 2, 3)) / (cells.sum((1, 2, 3)) + _TINY_AREA)


def _normalised(x: Tensor) -> Tensor:
    return x / (x.sum((1, 2, 3), keepdim=True) + _TINY_SUM)


def _structure_loss(a: Tensor, b: Tensor) -> Tensor:
    """Mean over three resolutions of 1 - SSIM."""
    total = a.new_zeros(())
    for level in range(_SSIM_LEVELS):
        if level:
            a, b = functional.avg_pool2d(a, 2), functional.avg_pool2d(b, 2)
        total = total + 1 - _similarity_map(a, b).mean()
    return total / _SSIM_LEVELS


def _similarity_map(a: Tensor, b: Tensor) -> Tensor:
    """SSIM (Wang et al. 2004) with a 3x3 Gaussian window, zeros outside the map."""
    places = torch.arange(-1, 2, dtype=a.dtype, device=a.device)
    weights = torch.exp(-places.square() / (2 * _SSIM_SIGMA**2))
    weights = weights / weights.sum()
    window = torch.outer(weights, weights)[None, None]

    def blurred(x: Tensor) -> Tensor:
        return functional.conv2d(x, window, padding=1)

    mean_a, mean_b = blurred(a), blurred(b)
    variance_a, variance_b = blurred(a * a) - mean_a.square(), blurred(b * b) - mean_b.square()
    covariance = blurred(a * b) - mean_a * mean_b
    c1, c2 = _SSIM_CONSTANTS
    brightness = (2 * mean_a * mean_b + c1) / (mean_a.square() + mean_b.square() + c1)
    return brightness * (2 * covariance + c2) / (variance_a + variance_b + c2)
