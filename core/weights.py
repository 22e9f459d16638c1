"""What can be wrong with a file's tensors, whatever model they are of."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor

_COMPARABLE = (torch.float64, torch.float32, torch.float16, torch.bfloat16)


def not_finite(weights: Mapping[str, Tensor]) -> list[str]:
    """Names of the floating-point tensors that hold a NaN or infinity, in order; those on "meta" hold no values at all."""
    return [
        name
        for name, value in weights.items()
        if value.is_floating_point() and not value.is_meta and not _is_finite(value)
    ]


def _is_finite(value: Tensor) -> bool:
    if value.dtype not in _COMPARABLE:
        value = value.float()  # torch compares no 8-bit floats
    return not value.numel() or bool(torch.stack(value.aminmax()).isfinite().all())
