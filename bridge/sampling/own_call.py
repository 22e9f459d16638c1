"""Options for a model call of the pack's own, beside those of the sampler."""

from __future__ import annotations

from typing import Any

from comfy.patcher_extension import WrappersMP

from .whole_image import on_one_device

_COMPILE = "torch.compile"  # comfy_api.torch_helpers.torch_compile.COMPILE_KEY
_CACHE = "easycache"  # comfy_extras.nodes_easycache


def without_compile(model_options: dict[str, Any]) -> dict[str, Any]:
    """Take torch.compile, EasyCache and the split over GPUs out of `model_options`, a copy for one call, and return it.

    Compiled code is guarded by the identity of parameters: those that a gradient swaps would have it compiled anew in every
    step. A cached answer has no gradient, and what the cache keeps must come from the sampler's own calls.
    """
    wrappers = model_options.get("transformer_options", {}).get("wrappers", {})
    wrappers.get(WrappersMP.APPLY_MODEL, {}).pop(_COMPILE, None)
    for kind in (WrappersMP.CALC_COND_BATCH, WrappersMP.DIFFUSION_MODEL):
        wrappers.get(kind, {}).pop(_CACHE, None)
    return on_one_device(model_options)
