"""Operations of whatever runs: matrix products, convolutions and attention, forward and backward."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

Shape = tuple[int, ...]


def _attention(q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_flop_count(q, k, v))


def _attention_backward(gradient: Shape, q: Shape, k: Shape, v: Shape, *_: Any, **__: Any) -> int:
    return int(sdpa_backward_flop_count(gradient, q, k, v))


# PyTorch counts the fused attention of accelerators only.
_FORMULAS = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _attention,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _attention_backward,
}


def operations_of(step: Callable[[], Any]) -> float:
    """Multiplications and additions of a step, which takes about three times as long meanwhile on a small model."""
    with FlopCounterMode(display=False, custom_mapping=_FORMULAS) as counter:
        step()
    return float(counter.get_total_flops())
