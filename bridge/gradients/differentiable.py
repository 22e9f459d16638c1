"""Puts a network that ComfyUI has loaded into a state in which gradients flow through it, and takes it out again."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import comfy.model_management
import comfy.ops
import torch
from torch import Tensor, nn

from .autograd_weights import StandIns, autograd_weights
from .recast_weights import recast_weights
from .recompute import recomputed

_FULL_PRECISION = "_full_precision_mm"


@contextmanager
def differentiable(
    network: nn.Module,
    blocks: tuple[type, ...],
    overwritten: frozenset[str] = frozenset(),
    stand_ins: StandIns | None = None,
) -> Iterator[None]:
    """Within the block, autograd can run through `network`, forward and backward.

    Args:
        blocks: classes whose forward is recomputed in backward; empty for none.
        overwritten: names of modules whose input is overwritten after them.
        stand_ins: see `autograd_weights`.
    """
    modules = list(network.modules())  # once: a walk takes as long as dozens of small kernels
    with (
        _inputs_kept(network, overwritten),
        autograd_weights(modules, stand_ins),
        _in_full_precision(modules),
        _casts_that_last(),
        recast_weights(modules),
        recomputed(network, blocks),
    ):
        yield


@contextmanager
def training_kernels() -> Iterator[None]:
    """Within the block, ComfyUI takes kernels that have a backward: not its products of fp8 numbers, nor its fast kernels."""
    fp8_linear, in_training = comfy.ops.fp8_linear, comfy.model_management.in_training
    try:
        comfy.ops.fp8_linear = _no_fp8_product
        comfy.model_management.in_training = True
        yield
    finally:
        comfy.ops.fp8_linear = fp8_linear
        comfy.model_management.in_training = in_training


def _no_fp8_product(*_: Any) -> None:
    """What ComfyUI's fp8 layers take as: cast the weight, and multiply as usual."""


@contextmanager
def _casts_that_last() -> Iterator[None]:
    """Within the block, cast weights that autograd may keep are copies.

    ComfyUI casts into buffers that it reuses, and into memory that may be taken back ("dynamic VRAM"): backward would
    read another layer's weight there, and nothing would tell.
    """
    own: Callable[..., Any] = comfy.ops.cast_bias_weight

    def cast(layer: Any, *args: Any, **kwargs: Any) -> Any:
        weight, bias, *rest = own(layer, *args, **kwargs)
        if torch.is_grad_enabled():
            weight, bias = _copied(weight, layer.weight), _copied(bias, layer.bias)
        return weight, bias, *rest

    comfy.ops.cast_bias_weight = cast
    try:
        yield
    finally:
        comfy.ops.cast_bias_weight = own


def _copied(cast: Tensor | None, kept: Tensor | None) -> Tensor | None:
    is_plain = type(cast) in (Tensor, nn.Parameter)  # quantised weights are classes of their own, with their own rules
    return cast.clone() if cast is not None and is_plain and cast is not kept else cast


@contextmanager
def _inputs_kept(network: nn.Module, overwritten: frozenset[str]) -> Iterator[None]:
    """Modules of these names read a copy: backward needs their input as it was."""
    with ExitStack() as stack:
        for name, module in network.named_modules() if overwritten else ():
            if name.rpartition(".")[2] in overwritten:
                stack.callback(module.register_forward_pre_hook(lambda _, inputs: (inputs[0].clone(),)).remove)
        yield


@contextmanager
def _in_full_precision(modules: Iterable[nn.Module]) -> Iterator[None]:
    """Quantised layers cast their weight instead of quantising their input, which would end the graph."""
    layers = [module for module in modules if hasattr(module, _FULL_PRECISION)]
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


@contextmanager
def uncompiled(model: Any) -> Iterator[None]:
    """Within the block, a BaseModel whose whole diffusion model was compiled by another pack runs what was compiled."""
    compiled = model.diffusion_model
    uncompiled_model = compiled._modules.get("_orig_mod")  # torch._dynamo's OptimizedModule
    with ExitStack() as stack:
        if uncompiled_model is not None:
            model.diffusion_model = uncompiled_model
            stack.callback(setattr, model, "diffusion_model", compiled)
        yield
