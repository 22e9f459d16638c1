"""The layers of the denoising U-Net, with the names that Stable Diffusion 1.5 checkpoints give their weights.

Reference: Rombach et al., arXiv 2112.10752.
"""

from __future__ import annotations

from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from .config import UNetConfig
from .cross_attention import AttentionMaps


class ResBlock(nn.Module):
    """Two convolutions around the timestep's embedding."""

    def __init__(self, channels: int, out: int, embedding: int) -> None:
        super().__init__()
        self.in_layers = nn.Sequential(nn.GroupNorm(32, channels), nn.SiLU(), nn.Conv2d(channels, out, 3, padding=1))
        self.emb_layers = nn.Sequential(nn.SiLU(), nn.Linear(embedding, out))
        # Checkpoints have a dropout of 0 in the third place.
        self.out_layers = nn.Sequential(
            nn.GroupNorm(32, out), nn.SiLU(), nn.Identity(), nn.Conv2d(out, out, 3, padding=1)
        )
        self.skip_connection = nn.Identity() if channels == out else nn.Conv2d(channels, out, 1)

    def forward(self, x: Tensor, embedding: Tensor) -> Tensor:
        y = self.in_layers(x) + self.emb_layers(embedding)[:, :, None, None]
        out: Tensor = self.skip_connection(x) + self.out_layers(y)
        return out


class _Attention(nn.Module):
    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(channels, channels, bias=False)
        self.to_k = nn.Linear(context, channels, bias=False)
        self.to_v = nn.Linear(context, channels, bias=False)
        self.to_out = nn.Sequential(nn.Linear(channels, channels))

    def forward(self, x: Tensor, context: Tensor, maps: AttentionMaps | None = None) -> Tensor:
        q, k, v = (
            rearrange(part, "b n (h c) -> b h n c", h=self.heads)
            for part in (self.to_q(x), self.to_k(context), self.to_v(context))
        )
        if maps is not None:
            maps.add(q, k)
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.to_out(rearrange(mixed, "b h n c -> b n (h c)"))
        return out


class _GatedLinear(nn.Module):
    def __init__(self, channels: int, inner: int) -> None:
        super().__init__()
        self.proj = nn.Linear(channels, 2 * inner)

    def forward(self, x: Tensor) -> Tensor:
        value, gate = self.proj(x).chunk(2, dim=-1)
        out: Tensor = value * functional.gelu(gate)
        return out


class _Feedforward(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        inner = 4 * channels  # checkpoints have a dropout of 0 in the second place
        self.net = nn.Sequential(_GatedLinear(channels, inner), nn.Identity(), nn.Linear(inner, channels))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class _TransformerBlock(nn.Module):
    def __init__(self, channels: int, context: int, heads: int) -> None:
        super().__init__()
        self.attn1, self.attn2 = _Attention(channels, channels, heads), _Attention(channels, context, heads)
        self.ff = _Feedforward(channels)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Tensor, context: Tensor, maps: AttentionMaps | None) -> Tensor:
        y = self.norm1(x)
        x = x + self.attn1(y, y)
        x = x + self.attn2(self.norm2(x), context, maps)
        out: Tensor = x + self.ff(self.norm3(x))
        return out


class SpatialTransformer(nn.Module):
    """Self-attention over the pixels, cross-attention to the text, feed-forward."""

    def __init__(self, channels: int, context: int, config: UNetConfig) -> None:
        super().__init__()
        self.is_linear = config.linear_projections
        project = nn.Linear if self.is_linear else _pointwise
        heads = config.heads or channels // (config.head_channels or channels)
        self.norm = nn.GroupNorm(32, channels, eps=1e-6)
        self.proj_in = project(channels, channels)
        self.transformer_blocks = nn.ModuleList([_TransformerBlock(channels, context, heads)])
        self.proj_out = project(channels, channels)

    def forward(self, x: Tensor, context: Tensor, maps: AttentionMaps | None) -> Tensor:
        y = self.norm(x)
        if not self.is_linear:
            y = self.proj_in(y)
        y = rearrange(y, "b c h w -> b (h w) c")
        if self.is_linear:
            y = self.proj_in(y)
        for block in self.transformer_blocks:
            y = block(y, context, maps)
        if self.is_linear:
            y = self.proj_out(y)
        y = rearrange(y, "b (h w) c -> b c h w", h=x.shape[2])
        if not self.is_linear:
            y = self.proj_out(y)
        out: Tensor = x + y
        return out


def _pointwise(channels: int, out: int) -> nn.Conv2d:
    return nn.Conv2d(channels, out, 1)


class Downsample(nn.Module):
    """Halves both sides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.op(x)
        return out


class Upsample(nn.Module):
    """Doubles both sides."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out
