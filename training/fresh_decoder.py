"""The decoder that a training run begins with when its start has none."""

from __future__ import annotations

import torch
from headcount.core.t2icount.network import CountNetwork
from torch import nn

_FIRST_DENSITY = (
    1.0  # times the density's scale: about what a cell of FSC-147 has on average; the weights add 0.1 or so
)


def begin_decoder(network: CountNetwork, seed: int) -> None:
    """Give the network a decoder with random weights, on the CPU, whose density is above 0 everywhere.

    With a random last bias the density is below 0 everywhere in about half of the cases; the ReLU after it then gives 0
    without a gradient, and such a network never learns to count.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network.decoder = type(network.decoder)(network.config)
    nn.init.constant_(network.decoder.regressor.reg_head[-2].bias, _FIRST_DENSITY)
