"""Blocks that are computed again in backward: the same gradient from less memory, and nothing is left behind."""

from __future__ import annotations

import gc
import weakref
from typing import Any

import pytest
import torch
from headcount.bridge.families.table import family_of
from headcount.bridge.gradients.differentiable_call import GradientHook
from headcount.bridge.gradients.recompute import recomputed
from torch import Tensor, nn

from ..helpers.families import SMALL, build, small
from ..helpers.gradients import Whole, counted_saves, gradient_of, gradient_pass, latent
from ..helpers.models import tiny_setup, weights_of


def state(name: str) -> Tensor:
    shape = small(name).latent(1).shape
    return torch.randn(shape, generator=torch.Generator().manual_seed(4))


@pytest.mark.parametrize("name", [one.name for one in SMALL])
def test_every_family_gives_the_same_gradient_from_less(name: str) -> None:
    setup = build(small(name))
    family = family_of(setup.model, "the test")
    before = weights_of(setup.model)
    gradients, saved = [], []
    for memory in ("fast", "low"):
        sizes: list[int] = []
        with torch.inference_mode(), counted_saves(sizes):
            gradients.append(gradient_of(setup, state(name), 0.7, memory=memory).gradient)
        saved.append(sum(sizes))
    assert torch.equal(gradients[0], gradients[1]) and gradients[0].abs().max() > 0
    assert saved[1] < saved[0] or not family.blocks
    assert weights_of(setup.model) == before


@pytest.mark.parametrize("first", [1, 4, 5, 14])
def test_a_call_may_end_inside_of_a_block(first: int) -> None:
    setup, sigma = tiny_setup(), torch.full((1,), 2.0)
    x = latent(setup)
    plain, low = gradient_pass(setup, x), gradient_pass(setup, x, "low")
    expected = plain(x, sigma, {}, Whole(first=first)).gradient
    for _ in range(2):
        assert torch.equal(low(x, sigma, {}, Whole(first=first)).gradient, expected)
    assert torch._C._autograd._top_saved_tensors_default_hooks(False) is None, "checkpoint's hooks are gone"


def test_what_is_computed_again_is_not_recorded_again(monkeypatch: pytest.MonkeyPatch) -> None:
    kept = []
    keep = GradientHook._keep
    monkeypatch.setattr(GradientHook, "_keep", lambda self, call, *at: (kept.append(call.place), keep(self, call, *at)))
    setup = tiny_setup()
    gradient_of(setup, latent(setup), memory="low")
    assert kept == list(range(1, 15))


def test_the_second_run_sees_the_same_options() -> None:
    """ComfyUI's U-Net goes on writing into the options that its blocks were called with."""
    setup = tiny_setup()
    model, seen = setup.model.clone(), []

    def patch(n: Tensor, extra: dict[str, Any]) -> Tensor:
        seen.append((*extra["block"], extra["block_index"]))
        return n * (1.0 + 0.1 * extra["block"][1] + (0.5 if extra["block"][0] == "output" else 0.0))

    model.set_model_attn2_output_patch(patch)
    found = [gradient_of(setup, latent(setup), options=model.model_options, memory=m).gradient for m in ("fast", "low")]
    assert torch.equal(found[0], found[1])
    whole, ended = 7, 6  # a call without a graph before each pass, which ends inside the last attention
    first, again = seen[2 * whole + ended :][:ended], seen[2 * (whole + ended) :]
    assert again == first[::-1], "backward goes through the blocks from the last to the first"


class Block(nn.Module):
    def __init__(self, inner: nn.Module, fails: bool = False) -> None:
        super().__init__()
        self.inner, self.fails, self.last = inner, fails, None

    def forward(self, x: Tensor, scale: float = 1.0, shift: Tensor | None = None) -> Tensor:
        hidden = torch.exp(self.inner(x))
        self.last = weakref.ref(hidden)
        if self.fails:
            raise KeyError("left in the middle")
        return hidden * scale if shift is None else hidden * scale + shift


def test_only_the_outermost_blocks_and_only_for_the_time() -> None:
    network = nn.Sequential(Block(nn.Sequential(Block(nn.Identity()))), nn.ModuleList([Block(nn.Identity())]))
    with recomputed(network, (Block,)) as number:
        assert number == 2
        changed = ["forward" in module.__dict__ for module in network.modules() if isinstance(module, Block)]
        assert changed == [True, False, True]
    assert not any("forward" in module.__dict__ for module in network.modules())


class Overwriting(nn.Module):
    def forward(self, x: Tensor, other: Tensor) -> Tensor:
        hidden = torch.exp(x)
        x += hidden
        other += hidden
        return x * other.clone()


def test_a_block_may_write_into_what_it_is_given() -> None:
    block, x, other = Overwriting(), torch.rand(2, requires_grad=True), torch.rand(2)
    expected = torch.autograd.grad(block(x * 1.0, other.clone()).sum(), x)[0]
    given = other.clone()
    with recomputed(block, (Overwriting,)):
        (found,) = torch.autograd.grad(block(x * 1.0, given).sum(), x)
    assert torch.equal(found, expected) and torch.equal(given, other)


def test_a_forward_that_somebody_replaced_comes_back() -> None:
    block = Block(nn.Identity())
    replaced = block.forward = lambda x: x * 3
    x = torch.ones(2, requires_grad=True)
    with recomputed(block, (Block,)):
        assert float(torch.autograd.grad(block(x).sum(), x)[0][0]) == 3
    assert block.forward is replaced


def test_inference_tensors_among_the_arguments() -> None:
    with torch.inference_mode():
        shift = torch.ones(2)
    block, x = Block(nn.Identity()), torch.ones(2, requires_grad=True)
    with recomputed(block, (Block,)):
        result = block(x, 2.0, shift=shift)
        (gradient,) = torch.autograd.grad(result.sum(), x)
    assert torch.equal(gradient, 2 * torch.exp(x.detach()))


def test_an_exception_leaves_nothing() -> None:
    """Neither checkpoint's hooks nor, before the next garbage collection, the block's tensors."""
    block, x = Block(nn.Identity(), fails=True), torch.ones(2, requires_grad=True)
    gc.disable()
    try:
        with pytest.raises(KeyError, match="left in the middle") as caught, recomputed(block, (Block,)):
            block(x)
        assert torch._C._autograd._top_saved_tensors_default_hooks(False) is None
        del caught
        assert block.last() is None
    finally:
        gc.enable()
    assert "forward" not in block.__dict__


def test_without_gradients_blocks_run_as_they_are() -> None:
    block, sizes = Block(nn.Identity()), []
    with recomputed(block, (Block,)), counted_saves(sizes):
        assert not block(torch.ones(2)).requires_grad
        with torch.no_grad():
            assert not block(torch.ones(2, requires_grad=True)).requires_grad
    assert sizes == []
