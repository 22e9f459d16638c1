"""The judge: a detector that only measures, of another architecture, seed and training scenes than the decider."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor, nn

from ..comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.demo_models.emoji_counter import DECIDER_WEIGHTS, EmojiCounter, counter_of  # noqa: E402
from headcount.core.emoji.detector import centre_head  # noqa: E402

JUDGE_WEIGHTS = DECIDER_WEIGHTS.with_name("emoji_judge.safetensors")
SIDE = 128  # pixels of the Emoji models' pictures


class EmojiJudge(nn.Module):
    """A vision transformer over patches of 8 pixels (Dosovitskiy et al. 2021) behind a few convolutions; heat maps as the
    decider's.

    Args:
        nouns: N, how many kinds of objects there are.
        width: of a token.
        layers: of the transformer.
    """

    def __init__(self, nouns: int, width: int = 192, layers: int = 6) -> None:
        super().__init__()
        self.nouns = nouns
        half = width // 2
        self.quarter = nn.Sequential(
            nn.Conv2d(3, half, 4, 4), nn.GELU(), nn.Conv2d(half, half, 3, padding=1), nn.GELU()
        )
        self.patches = nn.Conv2d(half, width, 2, 2)
        self.places = nn.Parameter(0.02 * torch.randn((SIDE // 8) ** 2, width))
        layer = nn.TransformerEncoderLayer(
            width, width // 32, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True
        )
        self.layers = nn.TransformerEncoder(layer, layers, nn.LayerNorm(width), enable_nested_tensor=False)
        self.up = nn.Sequential(nn.Conv2d(width, 4 * half, 1), nn.PixelShuffle(2))
        self.head = nn.Sequential(nn.Conv2d(2 * half, half, 3, padding=1), nn.GELU(), centre_head(half, nouns))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, 128, 128) in -1..1 to (B, N + 4, 32, 32): logits of each noun's centres, then the box."""
        quarter = self.quarter(pixels)
        patches = self.patches(quarter)
        tokens = self.layers(patches.flatten(2).transpose(1, 2) + self.places)
        seen = tokens.transpose(1, 2).unflatten(2, patches.shape[2:])
        out: Tensor = self.head(torch.cat([self.up(seen), quarter], 1))
        return out


def load_judge(path: Path = JUDGE_WEIGHTS) -> EmojiCounter:
    """The judge as a counter.

    Raises:
        CountError: the file is missing or holds something else.
    """
    return counter_of(EmojiJudge, path, SIDE)
