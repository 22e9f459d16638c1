"""The autoencoder of the Shapes model: (B, 3, 8h, 8w) pictures to (B, 8, h, w) latents and back."""

from __future__ import annotations

import torch
from torch import Tensor, nn

LATENT_CHANNELS = 8
DOWNSCALE = 8
_PATCH = 4


class ResidualBlock(nn.Module):
    """x + conv(silu(norm(conv(silu(norm(x)))))), channels unchanged."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.GroupNorm(8, channels),
            nn.SiLU(),
            nn.Conv2d(channels, channels, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class ShapesAutoencoder(nn.Module):
    """Works on 4x4 pixel patches, so that most of it runs at a quarter of the picture's resolution.

    Args:
        width: channels at a quarter of the resolution; 1.5 times as many at an eighth.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        wide = width * 3 // 2
        patch = 3 * _PATCH**2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(_PATCH),
            nn.Conv2d(patch, width, 3, padding=1),
            ResidualBlock(width),
            nn.Conv2d(width, wide, 3, stride=2, padding=1),
            ResidualBlock(wide),
            ResidualBlock(wide),
            nn.Conv2d(wide, LATENT_CHANNELS, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, wide, 3, padding=1),
            ResidualBlock(wide),
            ResidualBlock(wide),
            nn.Upsample(scale_factor=2, mode="nearest"),
            nn.Conv2d(wide, width, 3, padding=1),
            ResidualBlock(width),
            ResidualBlock(width),
            nn.Conv2d(width, patch, 3, padding=1),
            nn.PixelShuffle(_PATCH),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, 8h, 8w) in -1..1 to (B, 8, h, w), about unit variance after `ShapesLatent.process_in`."""
        latent: Tensor = self.encoder(pixels)
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 8, h, w) to (B, 3, 8h, 8w), about -1..1."""
        pixels: Tensor = self.decoder(latent)
        return pixels


def to_pixels(pictures: Tensor) -> Tensor:
    """(B, H, W, 3) uint8 pictures to (B, 3, H, W) floats in -1..1."""
    return pictures.permute(0, 3, 1, 2).to(torch.float32) / 127.5 - 1
