"""Blocks of a network whose activations are computed again in backward instead of being kept.

The forward of each block is wrapped in PyTorch's checkpoint, for the time of a gradient pass only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from .autograd_weights import autograd_view
from .patched_forward import replaced_forwards

_Forward = Callable[..., Any]


@contextmanager
def recomputed(network: nn.Module, blocks: tuple[type, ...]) -> Iterator[int]:
    """Within the block, activations inside of `blocks` are not kept; gives the number of such blocks in `network`.

    Backward has to run within it, too. A model's call may be left by an exception in the middle of a block.

    Args:
        blocks: classes of modules; of nested ones the outermost counts. Their forward must give the same result when it
            is run again on the same inputs.
    """
    forwards = {module: _recomputing(module.forward) for module in _outermost(network, blocks)} if blocks else {}
    with replaced_forwards(forwards):
        yield len(forwards)


def _outermost(module: nn.Module, blocks: tuple[type, ...]) -> Iterator[nn.Module]:
    if isinstance(module, blocks):
        yield module
        return
    for child in module.children():
        yield from _outermost(child, blocks)


def _recomputing(own: _Forward) -> _Forward:
    def forward(*args: Any, **kwargs: Any) -> Any:
        values = [*args, *kwargs.values()]
        if not torch.is_grad_enabled() or not any(isinstance(v, Tensor) and v.requires_grad for v in values):
            return own(*args, **kwargs)
        call = _Call(own, len(args), tuple(kwargs), values)
        result = checkpoint(call, *call.tensors, use_reentrant=False, preserve_rng_state=False)
        call.raise_again()
        return result

    return forward


class _Call:
    """One call of a block, to be made again.

    ComfyUI's U-Net writes the block's name into the options that it hands down, so that they say something else by the
    time of backward: the second run gets a copy made at the first.

    Attributes:
        tensors: the tensors among the arguments; checkpoint keeps those itself.
    """

    def __init__(self, own: _Forward, positional: int, names: tuple[str, ...], values: list[Any]) -> None:
        self._own, self._positional, self._names = own, positional, names
        self._places = [place for place, value in enumerate(values) if isinstance(value, Tensor)]
        # Checkpoint saves its arguments for backward, and autograd takes no inference tensors.
        self.tensors = [_normal(values[place]) for place in self._places]
        self._error: BaseException | None = None
        self._first: list[Any] | None = values
        self._kept = [None if isinstance(value, Tensor) else _copied(value) for value in values]

    def __call__(self, *tensors: Tensor) -> Any:
        if self._first is None:
            return self._run([_copied(value) for value in self._kept], tensors)
        values, self._first = self._first, None
        try:
            return self._run(values, tensors)
        except BaseException as error:
            self._error = error
            return None

    def raise_again(self) -> None:
        """Raise what the first run raised: from within checkpoint it would leave checkpoint's hooks behind."""
        error, self._error = self._error, None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback leads to this frame: a circle, which would keep the block's tensors

    def _run(self, values: list[Any], tensors: tuple[Tensor, ...]) -> Any:
        for place, tensor in zip(self._places, tensors, strict=True):
            values[place] = tensor.clone()  # blocks such as Flux's write into what they are given
        named = dict(zip(self._names, values[self._positional :], strict=True))
        return self._own(*values[: self._positional], **named)


def _copied(value: Any) -> Any:
    return dict(value) if type(value) is dict else value


def _normal(tensor: Tensor) -> Tensor:
    return autograd_view(tensor) if tensor.is_inference() and type(tensor) is Tensor else tensor
