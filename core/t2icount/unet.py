"""The denoising U-Net as a feature extractor: one pass at timestep 0, without its output head.

Reference: Rombach et al., arXiv 2112.10752; names and order of blocks are those of Stable Diffusion 1.5 checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint

from .config import CounterConfig, UNetConfig
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


class _Downsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.op = nn.Conv2d(channels, channels, 3, stride=2, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.op(x)
        return out


class _Upsample(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.conv(functional.interpolate(x, scale_factor=2.0, mode="nearest"))
        return out


class _Block(nn.ModuleList):
    """Parts that run one after the other, each with what it needs."""

    def run(
        self, x: Tensor, embedding: Tensor, context: Tensor, maps: AttentionMaps | None, is_checkpointed: bool
    ) -> Tensor:
        for part in self:
            needs: tuple[Any, ...] = ()
            if isinstance(part, ResBlock):
                needs = (embedding,)
            elif isinstance(part, SpatialTransformer):
                needs = (context, maps)
            if is_checkpointed and needs:
                x = checkpoint(part, x, *needs, use_reentrant=False, preserve_rng_state=False)  # nothing here is random
            else:
                x = part(x, *needs)
        return x


class UNet(nn.Module):
    """Features of the decoder's blocks; the blocks after the last one that is read are not built."""

    def __init__(self, config: CounterConfig) -> None:
        super().__init__()
        self.config, self.is_checkpointed = config, False
        unet, text_width = config.unet, config.text.width
        embedding = 4 * unet.channels
        self.time_embed = nn.Sequential(nn.Linear(unet.channels, embedding), nn.SiLU(), nn.Linear(embedding, embedding))

        def block(channels: int, out: int, level: int) -> list[nn.Module]:
            parts: list[nn.Module] = [ResBlock(channels, out, embedding)]
            if unet.attention_levels[level]:
                parts.append(SpatialTransformer(out, text_width, unet))
            return parts

        widths = [unet.channels * multiplier for multiplier in unet.multipliers]
        now, kept = unet.channels, [unet.channels]
        inputs = [_Block([nn.Conv2d(config.encoder.latent_channels, now, 3, padding=1)])]
        for level, width in enumerate(widths):
            for _ in range(unet.blocks):
                inputs.append(_Block(block(now, width, level)))
                now = width
                kept.append(now)
            if level < len(widths) - 1:
                inputs.append(_Block([_Downsample(now)]))
                kept.append(now)
        self.input_blocks = nn.ModuleList(inputs)
        self.middle_block = _Block(
            [ResBlock(now, now, embedding), SpatialTransformer(now, text_width, unet), ResBlock(now, now, embedding)]
        )
        outputs = []
        for level, width in reversed(list(enumerate(widths))):
            for index in range(unet.blocks + 1):
                parts = block(now + kept.pop(), width, level)
                now = width
                outputs.append(_Block([*parts, _Upsample(now)] if level and index == unet.blocks else parts))
        self.output_blocks = nn.ModuleList(outputs[: max(config.feature_blocks) + 1])

    def forward(self, latent: Tensor, context: Tensor, maps: AttentionMaps | None = None) -> list[Tensor]:
        """One pass at timestep 0.

        Args:
            latent: (B, Z, h, w).
            context: (B, T, W) hidden states of the text.
            maps: collects the cross-attention of all but the middle block.

        Returns:
            The results of `config.feature_blocks`, coarse to fine.
        """
        embedding = self._timestep_zero(latent)
        rest = (embedding, context, maps, self.is_checkpointed and torch.is_grad_enabled())
        x, skips = latent, []
        for block in self._blocks(self.input_blocks):
            x = block.run(x, *rest)
            skips.append(x)
        x = self.middle_block.run(x, embedding, context, None, rest[-1])
        features = {}
        for index, block in enumerate(self._blocks(self.output_blocks)):
            x = block.run(torch.cat([x, skips.pop()], 1), *rest)
            if index in self.config.feature_blocks:
                features[index] = x
        return [features[index] for index in self.config.feature_blocks]

    def _timestep_zero(self, latent: Tensor) -> Tensor:
        """The sinusoidal embedding of 0 is the cosines, all 1, then the sines, all 0."""
        half = self.config.unet.channels // 2
        waves = torch.cat([latent.new_ones(1, half), latent.new_zeros(1, half)], 1)
        out: Tensor = self.time_embed(waves.expand(len(latent), -1))
        return out

    @staticmethod
    def _blocks(blocks: nn.ModuleList) -> Iterator[_Block]:
        for block in blocks:
            assert isinstance(block, _Block)  # for the type checker
            yield block


def decoder_widths(config: UNetConfig) -> list[int]:
    """Channels after each output block."""
    return [config.channels * m for m in reversed(config.multipliers) for _ in range(config.blocks + 1)]
