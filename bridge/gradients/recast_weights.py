"""Gradients with respect to a layer's input that keep nothing of its weight until backward.

Layers of ComfyUI that cast (fp8 and fp16 weights under another compute type, weights kept in RAM, LoRA patches applied on
the fly, scaled and quantised weights, dynamic VRAM) make a new copy of their weight in every call. Plain autograd would
keep each copy until backward, the whole model once more; and where ComfyUI reuses the memory of a copy, backward would
read another layer's weight. Here the weight is cast again when backward needs it. Weights themselves get no gradient.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import comfy.ops
import comfy.rmsnorm
import torch
import torch.nn.functional as F
from comfy.quant_ops import QuantizedTensor
from torch import Tensor, nn

from .patched_forward import replaced_forwards

_Layer = Any
_InputGradient = Callable[[_Layer, Tensor, torch.Size], Tensor]
_CONVOLUTIONS = (nn.Conv1d, nn.Conv2d, nn.Conv3d)


class _WeightFree(torch.autograd.Function):
    """Runs a layer's own forward, and keeps only which layer it was."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: _Layer, own: Callable[[Tensor], Tensor], of: _InputGradient) -> Tensor:
        ctx.layer, ctx.shape, ctx.of = layer, x.shape, of
        return own(x)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None, None, None]:
        return ctx.of(ctx.layer, gradient, ctx.shape), None, None, None


def _linear(layer: _Layer, gradient: Tensor, shape: torch.Size) -> Tensor:
    with _cast(layer, gradient) as weight:
        by_input = gradient @ weight
    scale = getattr(layer, "pre_quant_scale", None)  # files of ModelOpt scale the input outside of the cast
    return by_input if scale is None else by_input * scale.to(by_input)


def _convolution(layer: _Layer, gradient: Tensor, shape: torch.Size) -> Tensor:
    with _cast(layer, gradient) as weight:
        like_input = gradient.new_empty(1).expand(shape)
        found = torch.ops.aten.convolution_backward(
            gradient, like_input, weight, None, layer.stride, layer.padding, layer.dilation, False,
            [0] * len(layer.stride), layer.groups, (True, False, False),
        )  # fmt: skip
    return found[0]


@contextmanager
def _cast(layer: _Layer, like: Tensor) -> Iterator[Tensor]:
    weight, bias, stream = comfy.ops.cast_bias_weight(
        layer, dtype=like.dtype, device=like.device, bias_dtype=like.dtype, offloadable=True
    )
    try:
        yield weight.dequantize() if isinstance(weight, QuantizedTensor) else weight
    finally:
        comfy.ops.uncast_bias_weight(layer, weight, bias, stream)


def casts(module: nn.Module) -> bool:
    """Whether a layer of ComfyUI makes its weight anew in every call."""
    return bool(
        getattr(module, "comfy_cast_weights", False)
        or getattr(module, "weight_function", None)
        or getattr(module, "bias_function", None)
        or hasattr(module, "_v")  # the weight lies in memory that can be taken back
        or hasattr(module, "_full_precision_mm")
    )


@contextmanager
def recast_weights(modules: Iterable[nn.Module]) -> Iterator[int]:
    """Within the block, ComfyUI's layers that cast save nothing of their weights; gives the number of such layers.

    Forward values stay as they are, to the bit. Layers of other packs are left to plain autograd, and so are those whose
    forward somebody has replaced: what they compute is not known here. Norms, whose weights are small, work on a copy.
    Use it together with `autograd_weights`, which serves all other weights.
    """
    forwards = {}
    for module in modules:
        if type(module).__module__ == comfy.ops.__name__ and casts(module) and "forward" not in module.__dict__:
            forward = _forward_of(module)
            if forward is not None:
                forwards[module] = forward
    with replaced_forwards(forwards):
        yield len(forwards)


def _forward_of(module: _Layer) -> Callable[..., Tensor] | None:
    # Quantised layers derive from no class of PyTorch, and not only linear ones are quantised.
    if isinstance(module, nn.Linear) or (hasattr(module, "_full_precision_mm") and type(module).__name__ == "Linear"):
        return _without_weight(module, _linear)
    if isinstance(module, _CONVOLUTIONS):
        plain = module.padding_mode == "zeros" and not isinstance(module.padding, str)
        return _without_weight(module, _convolution) if plain else None
    if getattr(module, "weight", None) is None:
        return None
    if isinstance(module, nn.GroupNorm):
        return _on_copies(module, lambda x, w, b: F.group_norm(x, module.num_groups, w, b, module.eps))
    if isinstance(module, nn.LayerNorm):
        return _on_copies(module, lambda x, w, b: F.layer_norm(x, module.normalized_shape, w, b, module.eps))
    if isinstance(module, comfy.rmsnorm.RMSNorm):
        return _on_copies(module, lambda x, w, _: comfy.rmsnorm.rms_norm(x, w, module.eps))
    return None


def _without_weight(module: _Layer, of: _InputGradient) -> Callable[..., Tensor]:
    plain_forward = module.forward

    def forward(x: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if args or kwargs or not (torch.is_grad_enabled() and x.requires_grad):
            return plain_forward(x, *args, **kwargs)
        return _WeightFree.apply(x, module, plain_forward, of)

    return forward


def _on_copies(module: _Layer, norm: Callable[[Tensor, Tensor, Tensor | None], Tensor]) -> Callable[..., Tensor]:
    def forward(x: Tensor) -> Tensor:
        weight, bias, stream = comfy.ops.cast_bias_weight(module, x, offloadable=True)
        try:
            return norm(x, weight.clone(), None if bias is None else bias.clone())
        finally:
            comfy.ops.uncast_bias_weight(module, weight, bias, stream)

    return forward
