"""The VAE of the Shapes video model: the Shapes autoencoder on every frame."""

from __future__ import annotations

from typing import Any

from einops import rearrange
from torch import Tensor

from ...core.shapes.autoencoder import DOWNSCALE, ShapesAutoencoder
from .model import ShapesVAE


class FrameAutoencoder(ShapesAutoencoder):
    """`ShapesAutoencoder` on videos, each frame by itself; it has the same weights."""

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, F, 8h, 8w) in -1..1 to (B, 8, F, h, w)."""
        latent = super().encode(rearrange(pixels, "b c f h w -> (b f) c h w"))
        return rearrange(latent, "(b f) c h w -> b c f h w", b=len(pixels))

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 8, F, h, w) to (B, 3, F, 8h, 8w), about -1..1."""
        pixels = super().decode(rearrange(latent, "b c f h w -> (b f) c h w"))
        return rearrange(pixels, "(b f) c h w -> b c f h w", b=len(latent))


def _as_many(frames: int) -> int:
    return frames


class ShapesVideoVAE(ShapesVAE):
    """ComfyUI's VAE of videos around `FrameAutoencoder`: as many latent frames as pictures, a batch of pictures one video."""

    downscale_ratio: Any
    upscale_ratio: Any

    def __init__(self, autoencoder: FrameAutoencoder) -> None:
        super().__init__(autoencoder)
        self.latent_dim = 3
        self.downscale_ratio = self.upscale_ratio = (_as_many, DOWNSCALE, DOWNSCALE)
        self.downscale_index_formula = self.upscale_index_formula = (1, DOWNSCALE, DOWNSCALE)
        self.memory_used_encode = lambda shape, dtype: 40 * 4 * shape[2] * shape[3] * shape[4]
        self.memory_used_decode = lambda shape, dtype: 40 * 4 * DOWNSCALE**2 * shape[2] * shape[3] * shape[4]
