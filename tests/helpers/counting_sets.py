"""A very small T2ICount network and pictures of squares for it, for tests of training."""

from __future__ import annotations

import numpy as np
import torch
from headcount.bridge.t2icount.backbone import count_network
from headcount.core.t2icount.config import CounterConfig, EncoderConfig, TextConfig, UNetConfig
from headcount.core.t2icount.network import CountNetwork
from torch import Tensor, nn

from training.fresh_decoder import begin_decoder

TINY = CounterConfig(
    name="tiny",
    text=TextConfig(vocabulary=20, positions=6, width=32, layers=1, heads=2, inner=32),
    encoder=EncoderConfig(channels=32, multipliers=(1, 1, 1, 1), blocks=1),
    unet=UNetConfig(channels=32, multipliers=(1, 1), blocks=1, heads=4, attention_levels=(True, True)),
    feature_blocks=(0, 1, 2, 3),
    stages=(32, 32, 32),
    middle=16,
    heads=4,
    attention_weights=((2, 0.6), (1, 0.4)),
    window=48,
)
NOUNS = ("squares", "dots", "lines")


def tiny_network(seed: int = 0) -> CountNetwork:
    """With random weights."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = with_start_weights(count_network(TINY))
    begin_decoder(network, seed)
    return network


def with_start_weights(network: CountNetwork) -> CountNetwork:
    """Torch's start weights from the global generator: ComfyUI's layers have none."""
    for module in network.modules():
        for kind in (nn.Linear, nn.Conv2d, nn.GroupNorm, nn.LayerNorm, nn.Embedding):
            if isinstance(module, kind):
                kind.reset_parameters(module)
    return network


def tiny_tokens(noun: str) -> tuple[Tensor, Tensor]:
    """One id per noun between two others."""
    tokens, mask = torch.ones(6, dtype=torch.int64), torch.zeros(6)
    tokens[1], mask[1] = 2 + NOUNS.index(noun), 1
    return tokens, mask


class Squares:
    """Pictures of bright squares on grey; the noun goes round."""

    def __init__(self, pictures: int, side: int = 60, seed: int = 0) -> None:
        self._generator, self._side = np.random.default_rng(seed), side
        self._samples = [self._drawn(index) for index in range(pictures)]

    def __len__(self) -> int:
        return len(self._samples)

    def sample(self, index: int) -> tuple[np.ndarray, str, np.ndarray]:
        return self._samples[index]

    def _drawn(self, index: int) -> tuple[np.ndarray, str, np.ndarray]:
        picture = np.full((self._side, self._side + 16, 3), 90, np.uint8)
        density = np.zeros(picture.shape[:2], np.float32)
        for _ in range(1 + index % 4):
            top, left = self._generator.integers(4, self._side - 12, 2)
            picture[top : top + 8, left : left + 8] = (200, 60 + 40 * (index % 3), 30)
            density[top : top + 8, left : left + 8] += 1 / 64
        return picture, NOUNS[index % len(NOUNS)], density
