"""Which self-attention head tells instances apart best: contrast, variation between places and edges."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from ..attention.calls import Grid
from .settings import ClusterSettings

GREY = (0.299, 0.587, 0.114)  # the weights of red, green and blue in a picture's brightness
FLAT = 1e-8


def stretched(components: Tensor, flat: float | None = None) -> Tensor:
    """(..., P, n) with each component brought to 0..1; constant ones become `flat`, or stay when it is None."""
    low, high = components.amin(-2, keepdim=True), components.amax(-2, keepdim=True)
    constant = high - low <= FLAT
    scaled = (components - low) / (high - low).clamp_min(FLAT)
    return torch.where(constant, components if flat is None else torch.full_like(components, flat), scaled)


@torch.no_grad()
def score_heads(components: Tensor, grid: Grid, settings: ClusterSettings) -> Tensor:
    """Score heads by their components as grey pictures (NUMINA, eq. 4 to 7; block size as in the released code).

    Args:
        components: (..., P, 3), P = h * w.
        grid: (h, w).

    Returns:
        (...): the higher, the clearer the head shows instances.
    """
    grey = stretched(components, 0.5) @ components.new_tensor(GREY)
    images = rearrange(grey, "... (h w) -> (...) 1 h w", h=grid[0])
    size = max(1, grid[0] // settings.block_grid), max(1, grid[1] // settings.block_grid)
    blocks = avg_pool2d(images, size) * (size[0] * size[1] if settings.blocks == "sums" else 1)
    scores = grey.std(-1).flatten(), blocks.flatten(1).var(-1), _edges(images)
    total = sum((weight * score for weight, score in zip(settings.score_weights, scores, strict=True)), 0 * scores[0])
    return total.reshape(grey.shape[:-1])


def _edges(images: Tensor) -> Tensor:
    """(n, 1, h, w) to (n,): mean size of the Sobel gradient, zeros around the frame."""
    across = images.new_tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    slopes = conv2d(images, torch.stack([across, across.T])[:, None], padding=1)
    return slopes.square().sum(1).sqrt().mean((-1, -2))
