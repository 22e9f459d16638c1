"""How much of a model was run: its calls, and the multiplications of its linear layers and convolutions."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


@dataclass
class Work:
    """What was counted.

    Attributes:
        calls: of the model, the broken-off one too.
        rows: batch rows of these calls.
        products: multiplications, attention's own not counted. A call that is broken off counts as far as it came.
    """

    calls: int = 0
    rows: int = 0
    products: float = 0.0


@contextmanager
def counted_work(network: nn.Module) -> Iterator[Work]:
    """Within the block, counts what is run of `network`, whose forward takes the batch first."""
    work = Work()

    def begins(_: nn.Module, arguments: tuple[Any, ...]) -> None:
        work.calls += 1
        work.rows += len(arguments[0])

    def ran(layer: nn.Module, _: tuple[Any, ...], answer: Tensor) -> None:
        work.products += answer.numel() * layer.weight[0].numel()

    layers = [layer for layer in network.modules() if isinstance(layer, _LAYERS)]
    hooks = [network.register_forward_pre_hook(begins), *(layer.register_forward_hook(ran) for layer in layers)]
    try:
        yield work
    finally:
        for hook in hooks:
            hook.remove()
