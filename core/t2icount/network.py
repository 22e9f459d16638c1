"""The whole network: picture and noun to a density map. Names of weights are those of the authors' checkpoints."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from .config import CounterConfig
from .cross_attention import AttentionMaps, fused_attention
from .decoder import Stages
from .head import CounterHead
from .text import ClassText, class_text


@dataclass(frozen=True)
class CountMaps:
    """What the network says about B windows, g x g cells each.

    Attributes:
        density: (B, 1, g, g), `config.density_scale` times the objects in each cell, 0 or more.
        coarse_similarity, fine_similarity: (B, 1, g, g) cosine to the noun after the first and second decoder stage.
        attention: (B, 1, g, g) fused cross-attention, 0 to 1, without gradient; None unless asked for.
    """

    density: Tensor
    coarse_similarity: Tensor
    fine_similarity: Tensor
    attention: Tensor | None


@dataclass(frozen=True)
class Backbone:
    """The text-to-image model that a counter looks through: modules with the names of Stable Diffusion 1.5 checkpoints.

    Attributes:
        vae: (B, 3, H, W) pixels in -1..1 to the mean latent (B, Z, H / 8, W / 8), neither scaled nor noised.
        diffusion_model: called with the latent, the text's hidden states (B, T, W), the `AttentionMaps` that collect the
            cross-attention of all but the middle block, or None, and whether to compute its blocks twice to save memory.
            One pass at timestep 0; gives the results of `config.feature_blocks`, coarse to fine.
        text_tower: (B, T) CLIP ids to (B, T, W) hidden states.
    """

    vae: nn.Module
    diffusion_model: nn.Module
    text_tower: nn.Module


class _Decoder(Stages):
    def __init__(self, config: CounterConfig) -> None:
        super().__init__(config)
        self.regressor = CounterHead(config)


class CountNetwork(nn.Module):
    """T2ICount (arXiv 2502.20625). Holds only what a count needs; may be built on torch's meta device."""

    def __init__(self, config: CounterConfig, backbone: Backbone) -> None:
        super().__init__()
        self.config, self._is_checkpointed = config, False
        self.vae = backbone.vae
        self.unet = nn.ModuleDict({"unet": nn.ModuleDict({"diffusion_model": backbone.diffusion_model})})
        self.clip = nn.ModuleDict({"transformer": nn.ModuleDict({"text_model": backbone.text_tower})})
        self.decoder = _Decoder(config)

    @property
    def diffusion_model(self) -> nn.Module:
        """The U-Net, which training changes slowly."""
        found: nn.Module = self.unet["unet"]["diffusion_model"]  # type: ignore[index]
        return found

    @property
    def text_tower(self) -> nn.Module:
        """The text tower, which training leaves as it is."""
        found: nn.Module = self.clip["transformer"]["text_model"]  # type: ignore[index]
        return found

    def checkpoint_blocks(self, on: bool) -> None:
        """Compute the U-Net's blocks twice in training, to save memory."""
        self._is_checkpointed = on

    @torch.no_grad()
    def embed_text(self, tokens: Tensor, mask: Tensor) -> ClassText:
        """Run the text tower.

        Args:
            tokens: (B, T) CLIP ids with start, end and padding.
            mask: (B, T) 1 on the noun's own tokens.
        """
        return class_text(self.text_tower(tokens), mask)

    @torch.no_grad()
    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1 to the latent (B, Z, H / 8, W / 8)."""
        latent: Tensor = self.vae(pixels)
        return latent

    def count_latent(self, latent: Tensor, text: ClassText, with_attention: bool = False) -> CountMaps:
        """Count in B encoded windows, one noun each."""
        maps = AttentionMaps() if with_attention else None
        is_checkpointed = self._is_checkpointed and torch.is_grad_enabled()
        decoded = self.decoder.decode(self.diffusion_model(latent, text.hidden, maps, is_checkpointed), text.vector)
        fused = None
        if maps is not None:
            maps.close()
            fused = fused_attention(maps.per_token(), text.mask, self.config.attention_weights)
        return CountMaps(self.decoder.regressor(decoded.features[-1]), *decoded.similarities, fused)

    def forward(self, pixels: Tensor, text: ClassText, with_attention: bool = False) -> CountMaps:
        """Count in B windows (B, 3, H, W) of pixels in -1..1, one noun each."""
        return self.count_latent(self.encode(pixels), text, with_attention)


BuildNetwork = Callable[[CounterConfig], CountNetwork]
"""Makes a network of a configuration, its weights still to come."""
