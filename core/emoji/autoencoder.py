"""The autoencoder of the Emoji models: (B, 3, 8h, 8w) pictures to (B, 12, h, w) latents and back.

It has no normalisation at all: one that works over whole pictures makes a small object's colours depend on what else is
there, and blurs some pictures as a whole. Instead every residual block starts as the identity (Zhang et al. 2019, Fixup).
"""

from __future__ import annotations

from torch import Tensor, nn

LATENT_CHANNELS = 12
DOWNSCALE = 8
_PATCH = 4  # the encoder's first look: pixels of a side


class ResidualBlock(nn.Module):
    """x + conv(silu(conv(silu(x)))), channels unchanged; the identity at first."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        last = nn.Conv2d(channels, channels, 3, padding=1)
        nn.init.zeros_(last.weight)
        first = nn.Conv2d(channels, channels, 3, padding=1)
        self.layers = nn.Sequential(nn.SiLU(), first, nn.SiLU(), last)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.layers(x)
        return out


class EmojiAutoencoder(nn.Module):
    """Convolutions on 4x4 pixel patches down to 8x8, and back in steps of two up to half of the picture's resolution.

    Args:
        width: channels at a quarter of the resolution; twice as many at an eighth, half as many at a half.
    """

    def __init__(self, width: int = 64) -> None:
        super().__init__()
        wide, narrow = 2 * width, width // 2
        self.encoder = nn.Sequential(
            nn.PixelUnshuffle(_PATCH),
            nn.Conv2d(3 * _PATCH**2, width, 3, padding=1),
            ResidualBlock(width),
            ResidualBlock(width),
            nn.Conv2d(width, wide, 4, stride=2, padding=1),
            ResidualBlock(wide),
            ResidualBlock(wide),
            nn.Conv2d(wide, LATENT_CHANNELS, 3, padding=1),
        )
        self.decoder = nn.Sequential(
            nn.Conv2d(LATENT_CHANNELS, wide, 3, padding=1),
            ResidualBlock(wide),
            ResidualBlock(wide),
            ResidualBlock(wide),
            nn.Conv2d(wide, 4 * width, 1),
            nn.PixelShuffle(2),
            ResidualBlock(width),
            ResidualBlock(width),
            ResidualBlock(width),
            nn.Conv2d(width, 4 * narrow, 3, padding=1),
            nn.PixelShuffle(2),
            ResidualBlock(narrow),
            ResidualBlock(narrow),
            nn.Conv2d(narrow, 3 * 4, 3, padding=1),
            nn.PixelShuffle(2),
        )

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, 8h, 8w) in -1..1 to (B, 12, h, w)."""
        latent: Tensor = self.encoder(pixels)
        return latent

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 12, h, w) to (B, 3, 8h, 8w), about -1..1."""
        pixels: Tensor = self.decoder(latent)
        return pixels
