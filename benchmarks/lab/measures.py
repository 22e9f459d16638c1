"""What a step costs: time, in all and in named functions, memory, operations, and how much of a model was run."""

from __future__ import annotations

import statistics
import time
import weakref
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import comfy.model_management
import torch
from headcount.bridge.gradients import differentiable_call
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from .operations import operations_of

Step = Callable[[], Any]
Wait = Callable[[], None]
"""Returns when the device has nothing to do."""
Parts = Mapping[str, tuple[tuple[Any, str], ...]]
"""Label -> the functions that make a part up, each as its owner and its name there."""
_LAYERS = (nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d)


def seconds_of(step: Step, wait: Wait) -> float:
    """Of one call."""
    wait()
    start = time.perf_counter()
    step()
    wait()
    return time.perf_counter() - start


def times(steps: Mapping[str, Step], rounds: int, wait: Wait) -> dict[str, float]:
    """Median seconds of each step, taken in turns after a first round that is not counted."""
    found = [{name: seconds_of(step, wait) for name, step in steps.items()} for _ in range(rounds + 1)]
    return {name: statistics.median(taken[name] for taken in found[1:]) for name in steps}


@contextmanager
def seconds_in(parts: Parts, wait: Wait) -> Iterator[dict[str, list[float]]]:
    """Within the block, the seconds of every call of each part."""
    spent: dict[str, list[float]] = {label: [] for label in parts}
    with ExitStack() as stack:
        for label, functions in parts.items():
            for owner, name in functions:
                stack.enter_context(patch.object(owner, name, _timed(getattr(owner, name), spent[label], wait)))
        yield spent


def _timed(function: Callable[..., Any], spent: list[float], wait: Wait) -> Any:
    def timed(*args: Any, **kwargs: Any) -> Any:
        wait()
        start = time.perf_counter()
        try:
            return function(*args, **kwargs)
        finally:
            wait()
            spent.append(time.perf_counter() - start)

    return timed


class LivePeak(TorchDispatchMode):
    """Counts the bytes of tensors that PyTorch's operations make, as long as they live.

    What a kernel uses inside of itself is not seen. Works on every device, without numbers on "meta" too.

    Args:
        but: tensors whose memory is not counted, whatever is laid over it.

    Attributes:
        peak: most bytes alive at a time.
    """

    def __init__(self, but: Iterable[Tensor] = ()) -> None:
        super().__init__()
        self.peak = self._live = 0
        self._kept = [tensor.untyped_storage() for tensor in but]
        self._known = {storage._cdata for storage in self._kept}

    def __torch_dispatch__(self, function: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        before = {leaf.untyped_storage()._cdata for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor)}
        result = function(*args, **(kwargs or {}))
        for leaf in tree_leaves(result):
            if isinstance(leaf, Tensor) and leaf.untyped_storage()._cdata not in before:
                self._add(leaf.untyped_storage())
        return result

    def _add(self, storage: Any) -> None:
        key, size = storage._cdata, storage.nbytes()
        if key in self._known:
            return
        self._known.add(key)
        self._live += size
        self.peak = max(self.peak, self._live)
        weakref.finalize(storage, self._gone, key, size)

    def _gone(self, key: int, size: int) -> None:
        self._known.discard(key)
        self._live -= size


def peak_bytes(step: Step, network: nn.Module) -> int:
    """Most memory that a step takes beyond what is taken before it; `network` is what it runs.

    An accelerator's own count of allocated memory; elsewhere the bytes of live tensors, see `LivePeak`.
    """
    weights = [*network.parameters(), *network.buffers()]
    if weights[0].device.type in ("cpu", "meta"):
        with LivePeak(weights) as live:
            step()
        return live.peak
    torch.accelerator.synchronize()
    torch.accelerator.empty_cache()
    before = torch.accelerator.memory_allocated()
    torch.accelerator.reset_peak_memory_stats()
    step()
    return int(torch.accelerator.max_memory_allocated() - before)


class _FusedAttention(torch.autograd.Function):
    """Shapes and operations of fused attention: two products forward, five backward."""

    counted = 0.0

    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, has_heads: bool) -> Tensor:
        rows = q.shape[0] * q.shape[-2] * k.shape[-2]
        ctx.operations = 4.0 * rows * q.shape[-1] * (q.shape[1] if has_heads else 1)
        _FusedAttention.counted += ctx.operations
        result = torch.empty_like(q)
        ctx.save_for_backward(q, k, v, result, torch.empty((*q.shape[:-2], q.shape[-2], heads), device=q.device))
        return result.transpose(1, 2).flatten(2) if has_heads else result

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Any:
        _FusedAttention.counted += 2.5 * ctx.operations
        return *(torch.empty_like(tensor) for tensor in ctx.saved_tensors[:3]), None, None


def fused_attention(q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
    """Stands in for attention on "meta", where PyTorch knows only the kind that keeps whole matrices."""
    result: Tensor = _FusedAttention.apply(q, k, v, heads, bool(kwargs.get("skip_reshape")))
    return result


FUSED = {
    "transformer_options": {"optimized_attention_override": lambda _, *args, **kwargs: fused_attention(*args, **kwargs)}
}
"""Model options with `fused_attention`."""


@contextmanager
def without_numbers() -> Iterator[None]:
    """Within the block, a model on "meta" can be called through ComfyUI and the gradient pass."""
    free, attention = comfy.model_management.get_free_memory, differentiable_call.attention_pytorch
    comfy.model_management.get_free_memory = lambda *_, **__: 1e15
    differentiable_call.attention_pytorch = fused_attention
    try:
        yield
    finally:
        comfy.model_management.get_free_memory = free
        differentiable_call.attention_pytorch = attention


def operations(step: Step) -> float:
    """Multiplications and additions in the matrix products and convolutions of a step on "meta"."""
    _FusedAttention.counted = 0.0
    return operations_of(step) + _FusedAttention.counted


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
