"""Puts a network that ComfyUI has loaded into a state in which gradients flow through it, and takes it out again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import comfy.model_management
import comfy.ops
from comfy.patcher_extension import WrappersMP
from torch import nn

from .newer_comfyui import casts_that_last, on_one_device
from .normal_weights import normal_weights
from .recompute import recomputed
from .weight_free import weight_free

_COMPILE = "torch.compile"  # comfy_api.torch_helpers.torch_compile.COMPILE_KEY
_CACHE = "easycache"  # comfy_extras.nodes_easycache
_FULL_PRECISION = "_full_precision_mm"


@contextmanager
def differentiable(network: nn.Module, blocks: tuple[type, ...]) -> Iterator[None]:
    """Within the block, autograd can run through `network`, forward and backward.

    Args:
        blocks: classes whose forward is recomputed in backward; empty for none.
    """
    with (
        normal_weights(network),
        _in_full_precision(network),
        casts_that_last(),
        weight_free(network),
        recomputed(network, blocks),
    ):
        yield


@contextmanager
def training_kernels() -> Iterator[None]:
    """Within the block, ComfyUI takes kernels that have a backward.

    Products of fp8 numbers have none. ComfyUI newer than 0.3.75 has `in_training` for
    its other fast kernels.
    """
    management: Any = comfy.model_management
    fp8_linear = getattr(comfy.ops, "fp8_linear", None)
    in_training = getattr(management, "in_training", None)
    try:
        if fp8_linear is not None:
            comfy.ops.fp8_linear = _no_fp8_product
        if in_training is not None:
            management.in_training = True
        yield
    finally:
        if fp8_linear is not None:
            comfy.ops.fp8_linear = fp8_linear
        if in_training is not None:
            management.in_training = in_training


def _no_fp8_product(*_: Any) -> None:
    """What ComfyUI's fp8 layers take as: cast the weight, and multiply as usual."""


@contextmanager
def _in_full_precision(network: nn.Module) -> Iterator[None]:
    """Quantised layers cast their weight instead of quantising their input, which would end the graph."""
    layers = [module for module in network.modules() if hasattr(module, _FULL_PRECISION)]
    before = [layer.__dict__.get(_FULL_PRECISION) for layer in layers]
    try:
        for layer in layers:
            layer.__dict__[_FULL_PRECISION] = True
        yield
    finally:
        for layer, value in zip(layers, before, strict=True):
            if value is None:
                layer.__dict__.pop(_FULL_PRECISION, None)
            else:
                layer.__dict__[_FULL_PRECISION] = value


def without_compile(model_options: dict[str, Any]) -> dict[str, Any]:
    """Take torch.compile, EasyCache and the split over GPUs out of `model_options`, a copy for one call, and return it.

    Compiled code is guarded by the identity of parameters: swapped ones would have it compiled anew in every step. A
    cached answer has no gradient, and what the cache keeps must come from the sampler's own calls.
    """
    wrappers = model_options.get("transformer_options", {}).get("wrappers", {})
    wrappers.get(WrappersMP.APPLY_MODEL, {}).pop(_COMPILE, None)
    for kind in (WrappersMP.CALC_COND_BATCH, WrappersMP.DIFFUSION_MODEL):
        wrappers.get(kind, {}).pop(_CACHE, None)
    return on_one_device(model_options)


@contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """Within the block, a BaseModel whose whole diffusion model was compiled by another pack runs what was compiled."""
    compiled = model.diffusion_model
    own = compiled._modules.get("_orig_mod")  # torch._dynamo's OptimizedModule
    with ExitStack() as stack:
        if own is not None:
            model.diffusion_model = own
            stack.callback(setattr, model, "diffusion_model", compiled)
        yield
