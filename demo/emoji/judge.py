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


class _Block(nn.Module):
    """Two convolutions beside what there was (He et al. 2016), `dilation` cells apart (Yu et al. 2017)."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.seen = nn.Sequential(
            nn.Conv2d(width, width, 3, padding=dilation, dilation=dilation, bias=False),
            nn.BatchNorm2d(width),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1, bias=False),
            nn.BatchNorm2d(width),
        )

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = torch.relu(features + self.seen(features))
        return out


class EmojiJudge(nn.Module):
    """A dilated residual network at one resolution; the decider goes down to a 16th and back up instead.

    Args:
        nouns: N, how many kinds of objects there are.
        width: channels.
        dilations: of each block.
    """

    def __init__(self, nouns: int, width: int = 64, dilations: tuple[int, ...] = (1, 2, 4, 1, 2, 4)) -> None:
        super().__init__()
        self.nouns = nouns
        self.patches = nn.Sequential(
            nn.Conv2d(3, width // 2, 4, 2, 1), nn.ReLU(), nn.Conv2d(width // 2, width, 4, 2, 1), nn.ReLU()
        )
        self.blocks = nn.Sequential(*(_Block(width, dilation) for dilation in dilations))
        self.head = nn.Sequential(nn.Conv2d(width, width, 1), nn.ReLU(), centre_head(width, nouns))

    def forward(self, pixels: Tensor) -> Tensor:
        """(B, 3, H, W) in -1..1, H and W in multiples of 4, to (B, N + 4, H / 4, W / 4): logits of centres, then the box."""
        out: Tensor = self.head(self.blocks(self.patches(pixels)))
        return out


def load_judge(path: Path = JUDGE_WEIGHTS) -> EmojiCounter:
    """The judge as a counter.

    Raises:
        CountError: the file is missing or holds something else.
    """
    return counter_of(EmojiJudge, path)
