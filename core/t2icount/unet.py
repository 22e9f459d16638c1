"""The denoising U-Net as a feature extractor: one pass at timestep 0, without its output head.

Reference: Rombach et al., arXiv 2112.10752; names and order of blocks are those of Stable Diffusion 1.5 checkpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .config import CounterConfig, UNetConfig
from .cross_attention import AttentionMaps
from .unet_blocks import Downsample, ResBlock, SpatialTransformer, Upsample


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
                inputs.append(_Block([Downsample(now)]))
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
                outputs.append(_Block([*parts, Upsample(now)] if level and index == unet.blocks else parts))
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
