"""Picture to latent: the encoders of Stable Diffusion's KL autoencoder and of the Shapes demo model.

Reference: Rombach et al., "High-Resolution Image Synthesis with Latent Diffusion Models" (arXiv 2112.10752), appendix E.
Only the posterior's mean is used, and neither scaled nor noised (T2ICount).
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from ..shapes.autoencoder import ShapesAutoencoder
from .config import EncoderConfig


def _norm(channels: int) -> nn.GroupNorm:
    return nn.GroupNorm(32, channels, eps=1e-6)


class _ResidualBlock(nn.Module):
    def __init__(self, channels: int, out: int) -> None:
        super().__init__()
        self.norm1, self.conv1 = _norm(channels), nn.Conv2d(channels, out, 3, padding=1)
        self.norm2, self.conv2 = _norm(out), nn.Conv2d(out, out, 3, padding=1)
        self.nin_shortcut = nn.Conv2d(channels, out, 1) if channels != out else None

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv1(functional.silu(self.norm1(x)))
        y = self.conv2(functional.silu(self.norm2(y)))
        out: Tensor = y + (x if self.nin_shortcut is None else self.nin_shortcut(x))
        return out


class _Attention(nn.Module):
    """One head over all pixels."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = _norm(channels)
        self.q, self.k, self.v, self.proj_out = (nn.Conv2d(channels, channels, 1) for _ in range(4))

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(x)
        q, k, v = (rearrange(part(y), "b c h w -> b 1 (h w) c") for part in (self.q, self.k, self.v))
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = x + self.proj_out(rearrange(mixed, "b 1 (h w) c -> b c h w", h=x.shape[2]))
        return out


class _Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, stride=2)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(functional.pad(x, (0, 1, 0, 1)))  # right and bottom only
        return out


class _Level(nn.Module):
    def __init__(self, channels: int, out: int, blocks: int, is_last: bool) -> None:
        super().__init__()
        self.block = nn.ModuleList(_ResidualBlock(channels if i == 0 else out, out) for i in range(blocks))
        self.downsample = None if is_last else _Downsample(out)

    def forward(self, x: Tensor) -> Tensor:
        for block in self.block:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class KlEncoder(nn.Module):
    """(B, 3, 8h, 8w) pixels in -1..1 to (B, 2Z, h, w): mean and log variance before `quant_conv`."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        widths = [config.channels * m for m in config.multipliers]
        entering = [config.channels, *widths[:-1]]
        self.conv_in = nn.Conv2d(3, config.channels, 3, padding=1)
        self.down = nn.ModuleList(
            _Level(before, width, config.blocks, index == len(widths) - 1)
            for index, (before, width) in enumerate(zip(entering, widths, strict=True))
        )
        deep = widths[-1]
        self.mid = nn.ModuleDict(
            {"block_1": _ResidualBlock(deep, deep), "attn_1": _Attention(deep), "block_2": _ResidualBlock(deep, deep)}
        )
        self.norm_out = _norm(deep)
        self.conv_out = nn.Conv2d(deep, 2 * config.latent_channels, 3, padding=1)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.conv_in(pixels)
        for level in self.down:
            x = level(x)
        for part in ("block_1", "attn_1", "block_2"):
            x = self.mid[part](x)
        out: Tensor = self.conv_out(functional.silu(self.norm_out(x)))
        return out


class KlLatent(nn.Module):
    """Stable Diffusion's encoder: the posterior's mean."""

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = KlEncoder(config)
        self.quant_conv = nn.Conv2d(2 * config.latent_channels, 2 * config.latent_channels, 1)

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 8h, 8w) in -1..1 to (B, Z, h, w)."""
        mean: Tensor = self.quant_conv(self.encoder(pixels)).chunk(2, dim=1)[0]
        return mean


class ShapesLatent(nn.Module):
    """The Shapes model's encoder, its latents scaled as its U-Net knows them."""

    mean: Tensor
    std: Tensor

    def __init__(self, config: EncoderConfig) -> None:
        super().__init__()
        self.encoder = ShapesAutoencoder().encoder
        self.register_buffer("mean", torch.zeros(config.latent_channels))
        self.register_buffer("std", torch.ones(config.latent_channels))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 8h, 8w) in -1..1 to (B, Z, h, w)."""
        latent: Tensor = (self.encoder(pixels) - self.mean.view(1, -1, 1, 1)) / self.std.view(1, -1, 1, 1)
        return latent


ENCODERS: dict[str, type[KlLatent | ShapesLatent]] = {"ldm": KlLatent, "shapes": ShapesLatent}
