"""Lets autograd run through a model that ComfyUI loaded under inference mode, without copying a weight.

ComfyUI runs nodes in `torch.inference_mode()`, so the weights it loads are inference tensors, and autograd refuses to
save those for backward. A normal tensor laid over the same storage is accepted; see pytorch's notes on inference mode.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

_PLAIN = (Tensor, nn.Parameter)  # quantised weights are subclasses with rules of their own: they are left alone


def autograd_view(tensor: Tensor) -> Tensor:
    """A normal tensor on the storage of an inference tensor; call it outside of inference mode."""
    empty = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
    return empty.set_(tensor.untyped_storage(), tensor.storage_offset(), tensor.size(), tensor.stride())


StandIns = dict[Tensor, Tensor]
"""Weights to what was laid over them."""


def _stand_in(weight: Tensor, stand_ins: StandIns) -> Tensor:
    stand_in = stand_ins.get(weight)
    if stand_in is None or stand_in.data_ptr() != weight.data_ptr():  # ComfyUI moves weights between devices
        view = autograd_view(weight)
        stand_in = nn.Parameter(view, requires_grad=False) if isinstance(weight, nn.Parameter) else view
        stand_ins[weight] = stand_in
    return stand_in


@contextmanager
def autograd_weights(modules: Iterable[nn.Module], stand_ins: StandIns | None = None) -> Iterator[None]:
    """Within the block, gradients can flow through `modules` to their input; afterwards they hold their own weights again.

    A weight that is replaced within the block, as ComfyUI's hooks do, stays replaced.

    Args:
        stand_ins: from earlier blocks, to be used again; filled.
    """
    stand_ins = {} if stand_ins is None else stand_ins
    swapped: list[tuple[dict[str, Any], str, Tensor, Tensor]] = []
    try:
        with torch.inference_mode(False):
            for module in modules:
                places: tuple[dict[str, Any], ...] = module._parameters, module._buffers
                for tensors in places:
                    for name, value in tensors.items():
                        if type(value) in _PLAIN and value.is_inference():
                            stand_in = _stand_in(value, stand_ins)
                            swapped.append((tensors, name, value, stand_in))
                            tensors[name] = stand_in
        yield
    finally:
        for tensors, name, value, stand_in in swapped:
            if tensors.get(name) is stand_in:
                tensors[name] = value
