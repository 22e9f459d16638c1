"""Backward through tensors that were overwritten after autograd saved them."""

from __future__ import annotations

import pytest
import torch
from headcount.bridge.gradients.errors import explained
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


def test_what_could_not_be_kept_is_explained() -> None:
    """Torch's own error: what an objective's gradient ends with where keeping what was overwritten did not help."""
    leaf = torch.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError) as overwritten:
        torch.autograd.grad(overwritten_square(leaf), leaf)
    assert str(explained(overwritten.value, "Count Control")) == (
        "Count Control cannot take gradients because a patch of another node overwrites numbers that they need. Set "
        "its memory to 'fast', or else remove patches such as FreeU from this model, or use Noise Picker"
    )
    assert explained(RuntimeError("something else"), "Count Control") is None
