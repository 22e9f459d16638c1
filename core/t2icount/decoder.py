"""HSCM: three decoder stages that merge the U-Net's features coarse to fine and correct themselves by the text.

Reference: T2ICount (arXiv 2502.20625), hierarchical semantic correction module. Each of the first two stages reads the
noun, and its cosine similarity to the noun weighs what the next stage takes over.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor, nn
from torch.nn import functional

from .config import CounterConfig


def enlarged(x: Tensor, side: int) -> Tensor:
    """Bilinear doubling, as often as it takes to reach `side`."""
    while x.shape[-1] < side:
        x = functional.interpolate(x, scale_factor=2.0, mode="bilinear")
    return x


class Attention(nn.Module):
    """Multi-head attention with biases and separate projections."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj, self.v_proj, self.out_proj = (nn.Linear(channels, channels) for _ in range(4))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """(B, Q, C), (B, K, C), (B, K, C) to (B, Q, C)."""
        q, k, v = (
            rearrange(part, "b n (h c) -> b h n c", h=self.heads)
            for part in (self.q_proj(q), self.k_proj(k), self.v_proj(v))
        )
        mixed = functional.scaled_dot_product_attention(q, k, v)
        out: Tensor = self.out_proj(rearrange(mixed, "b h n c -> b n (h c)"))
        return out


class _SingleKeyAttention(nn.Module):
    """Attention to one key: its weight is 1 whatever the query, so query and key need not be computed."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.v_proj, self.out_proj = nn.Linear(channels, channels), nn.Linear(channels, channels)

    def forward(self, v: Tensor) -> Tensor:
        out: Tensor = self.out_proj(self.v_proj(v))
        return out


class _Mlp(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        first = nn.Sequential(nn.Linear(channels, 4 * channels), nn.GELU())
        # Checkpoints have a dropout of 0 in the second place.
        self.net = nn.Sequential(first, nn.Identity(), nn.Linear(4 * channels, channels))

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.net(x)
        return out


class _Fusion(nn.Module):
    """The text vector reads the picture, then the picture reads the text vector."""

    def __init__(self, channels: int, heads: int) -> None:
        super().__init__()
        self.img_pe_transform = nn.Conv2d(channels, channels, 3, padding=1, groups=channels)
        self.txt2img, self.img2txt = Attention(channels, heads), _SingleKeyAttention(channels)
        self.mlp = _Mlp(channels)
        self.norm1, self.norm2, self.norm3 = (nn.LayerNorm(channels) for _ in range(3))

    def forward(self, x: Tensor, text: Tensor) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) and (B, C) to the same shapes."""
        pixels, places = (rearrange(part, "b c h w -> b (h w) c") for part in (x, self.img_pe_transform(x)))
        token = text.unsqueeze(1)
        token = self.norm1(token + self.txt2img(token, pixels + places, pixels))
        token = self.norm2(token + self.mlp(token))
        pixels = self.norm3(pixels + self.img2txt(token))
        return rearrange(pixels, "b (h w) c -> b c h w", h=x.shape[2]), token.squeeze(1)


def _conv(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, padding=1), nn.ReLU())


class _Merge(nn.Module):
    """Coarse features, enlarged, join the finer ones of the U-Net."""

    def __init__(self, low: int, high: int, out: int) -> None:
        super().__init__()
        self.conv1, self.conv2 = _conv(low, out), _conv(high + out, out)

    def merged(self, low: Tensor, high: Tensor, similarity: Tensor | None) -> Tensor:
        lifted: Tensor = self.conv1(enlarged(low, high.shape[-1]))
        x: Tensor = self.conv2(torch.cat([high, lifted], 1))
        if similarity is None:
            return x
        if similarity.shape[-1] != high.shape[-1]:
            similarity = functional.interpolate(similarity, size=high.shape[-2:], mode="bilinear")
        return x + similarity * lifted


class TextStage(_Merge):
    """A stage that reads the noun, or, in the plain backbone, only compares itself to it."""

    def __init__(self, low: int, high: int, out: int, config: CounterConfig) -> None:
        super().__init__(low, high, out)
        self.text_conv, self.norm1 = nn.Linear(config.text.width, out), nn.LayerNorm(out)
        self.conv3 = _conv(out, out)
        self.img_txt_fusion1 = _Fusion(out, config.heads) if config.semantic else None
        self.img_txt_fusion2 = _Fusion(out, config.heads) if config.semantic else None

    def forward(
        self, low: Tensor, high: Tensor, noun: Tensor, similarity: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """(B, C, h, w) and (B, C): the stage's features and the noun as it sees it."""
        x = self.merged(low, high, similarity)
        text: Tensor = self.text_conv(noun)
        text = text + self.norm1(text)
        if self.img_txt_fusion1 is None or self.img_txt_fusion2 is None:
            return self.conv3(x), text
        x, text = self.img_txt_fusion1(x, text)
        return self.img_txt_fusion2(self.conv3(x), text)  # type: ignore[no-any-return]


class LastStage(_Merge):
    """The finest stage reads no text."""

    def forward(self, low: Tensor, high: Tensor, similarity: Tensor | None) -> Tensor:
        """(B, C, h, w)."""
        return self.merged(low, high, similarity)


@dataclass(frozen=True)
class Decoded:
    """Results of the three stages.

    Attributes:
        features: (B, C, h, w) of each stage, coarse to fine.
        texts: (B, C) of the first two.
        similarities: (B, 1, g, g) of the first two, cosine, -1 to 1, on the finest grid.
    """

    features: tuple[Tensor, Tensor, Tensor]
    texts: tuple[Tensor, Tensor]
    similarities: tuple[Tensor, Tensor]


class Stages(nn.Module):
    """The chain of the three stages."""

    def __init__(self, config: CounterConfig) -> None:
        super().__init__()
        self.is_semantic = config.semantic
        widths = config.unet.output_widths
        f4, f3, f2, f1 = (widths[block] for block in config.feature_blocks)
        first, second, third = config.stages
        self.upsample1 = TextStage(f4, f3, first, config)
        self.upsample2 = TextStage(first, f2, second, config)
        self.upsample3 = LastStage(second, f1, third)

    def decode(self, features: list[Tensor], noun: Tensor) -> Decoded:
        """From the U-Net's features, coarse to fine, and the noun's vector (B, W)."""
        f4, f3, f2, f1 = features
        side = f1.shape[-1]
        coarse, coarse_text = self.upsample1(f4, f3, noun)
        coarse_similarity = _similarity(coarse, coarse_text, side)
        fed_back = (coarse_similarity,) if self.is_semantic else ()
        fine, fine_text = self.upsample2(coarse, f2, noun, *fed_back)
        fine_similarity = _similarity(fine, fine_text, side)
        last = self.upsample3(fine, f1, fine_similarity if self.is_semantic else None)
        return Decoded((coarse, fine, last), (coarse_text, fine_text), (coarse_similarity, fine_similarity))


def _similarity(features: Tensor, text: Tensor, side: int) -> Tensor:
    """Cosine between each enlarged feature and the text: (B, 1, side, side)."""
    return functional.cosine_similarity(enlarged(features, side), text[:, :, None, None], dim=1).unsqueeze(1)
