"""Backward through tensors that were overwritten after autograd saved them."""

from __future__ import annotations

import torch
from headcount.bridge.gradients.overwritten import overwritten_tensors_kept
from torch import Tensor

ROUNDS = 6000  # some ten of them go wrong with PyTorch 2.13's own allow_mutation_on_saved_tensors


def overwritten_square(leaf: Tensor) -> Tensor:
    copy = leaf * 1.0
    square = copy.square()
    copy.add_(100.0)
    return square.sum()


def test_each_is_kept_as_it_was() -> None:
    """Also where a later tensor gets the address and the Python id of one that was let go of."""
    leaves = [torch.full((64,), float(index + 1), requires_grad=True) for index in range(ROUNDS)]
    with overwritten_tensors_kept():
        gradients = torch.autograd.grad([overwritten_square(leaf) for leaf in leaves], leaves)
    wrong = [index for index, leaf in enumerate(leaves) if not torch.equal(gradients[index], 2 * leaf)]
    assert wrong == []
