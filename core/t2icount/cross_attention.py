"""Cross-attention maps of one U-Net pass, averaged as they come, and the fused map that training reads.

The fused map (spec of the published code): per resolution the mean over layers, heads and the noun's tokens, enlarged to
the finest grid, scaled to 0..1 per picture, then summed with fixed weights, coarse grids weighing most.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor
from torch.nn import functional

_TINY = 1e-7  # a constant map becomes 0


class AttentionMaps:
    """Collects the attention of every cross-attention layer: one running sum per resolution, nothing else is kept.

    It is closed after the pass, so that layers which are computed again for their gradient are not counted twice.
    """

    def __init__(self) -> None:
        self._sums: dict[int, Tensor] = {}
        self._layers: dict[int, int] = {}
        self._is_open = True

    def add(self, q: Tensor, k: Tensor) -> None:
        """Take one layer's queries (B, H, P, c) of a square grid of P pixels and keys (B, H, T, c)."""
        if not self._is_open:
            return
        with torch.no_grad():
            logits = q.detach() @ k.detach().transpose(-1, -2) * q.shape[-1] ** -0.5
            mean = logits.softmax(-1).mean(1)
        side = round(q.shape[2] ** 0.5)
        self._sums[side] = self._sums[side] + mean if side in self._sums else mean
        self._layers[side] = self._layers.get(side, 0) + 1

    def close(self) -> None:
        """Ignore what comes from now on."""
        self._is_open = False

    def per_token(self) -> dict[int, Tensor]:
        """Side of the grid -> (B, T, side, side) mean over layers and heads."""
        return {
            side: rearrange(total / self._layers[side], "b (h w) t -> b t h w", h=side)
            for side, total in self._sums.items()
        }


def fused_attention(maps: dict[int, Tensor], mask: Tensor, weights: Sequence[tuple[int, float]]) -> Tensor:
    """The fused cross-attention map of the noun's tokens.

    Args:
        maps: `AttentionMaps.per_token`.
        mask: (B, T) 1 on the noun's tokens.
        weights: (downscaling of the finest grid, weight) pairs.

    Returns:
        (B, 1, h, w) on the finest grid, 0 to 1, without gradient.
    """
    finest = max(maps)
    share = mask / mask.sum(1, keepdim=True)
    total = torch.zeros_like(mask[:, :1, None, None])
    for downscaling, weight in weights:
        per_token = maps[finest // downscaling]
        noun_map = torch.einsum("bthw,bt->bhw", per_token, share.to(per_token)).unsqueeze(1)
        if downscaling > 1:
            noun_map = functional.interpolate(noun_map, scale_factor=downscaling, mode="bilinear")
        low, high = noun_map.amin((2, 3), keepdim=True), noun_map.amax((2, 3), keepdim=True)
        total = total + weight * (noun_map - low) / (high - low + _TINY)
    return total.detach()
