"""Gradients of a batch in parts, one thread each.

PyTorch's own threads meet after every operation. On cores that other work shares, that waiting costs several times the
work itself; threads that meet once a step lose little.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

import torch
from torch import Tensor, nn


def gradient_in_parts(
    pool: ThreadPoolExecutor, parameters: Sequence[nn.Parameter], losses: Sequence[Callable[[], Tensor]]
) -> float:
    """Set each parameter's gradient to that of the mean of `losses`, which the pool works out side by side.

    Args:
        losses: each gives the loss of its part of the batch; all parts are of one size. Whatever is random in them must
            come from generators of their own.

    Returns:
        The mean loss.
    """

    def part(loss_of: Callable[[], Tensor]) -> tuple[float, tuple[Tensor | None, ...]]:
        loss = loss_of()
        return loss.item(), torch.autograd.grad(loss, parameters, allow_unused=True)

    found = list(pool.map(part, losses))
    for parameter, *gradients in zip(parameters, *(gradients for _, gradients in found), strict=True):
        there = [gradient for gradient in gradients if gradient is not None]
        parameter.grad = sum(there) / len(losses) if there else None
    return sum(loss for loss, _ in found) / len(losses)
