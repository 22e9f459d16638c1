"""What ComfyUI newer than 0.3.75 does differently where this pack meets it, in one place.

Each difference is found by looking for the thing itself, not by a version number: packs and forks carry parts of newer
versions. Where `inspect` or a name says that the thing is not there, ComfyUI is as old as 0.3.75 in that respect.
"""

from __future__ import annotations

import inspect
import logging
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import comfy.cli_args
import comfy.k_diffusion.sampling as k_diffusion
import comfy.model_management
import comfy.ops
import comfy.sample
import torch
from comfy.ldm.flux.layers import DoubleStreamBlock
from torch import Tensor, nn

_SIZE_HINTS = ("downscale_ratio_spacial", "downscale_ratio_temporal")
_NO_GRAPHS = "disable_comfy_compiler"
_LOG = logging.getLogger(__name__)


def unpacked(*arguments: Any) -> tuple[Any, ...]:
    """Arguments of an attention call without the containers that ComfyUI 0.32 and newer may hand tensors over in.

    A container has one owner: what is taken out is no longer in it.
    """
    return tuple(
        one.take() if not isinstance(one, Tensor) and hasattr(one, "peek") and hasattr(one, "take") else one
        for one in arguments
    )


def empty_latent_of(model: Any, latent: Mapping[str, Any]) -> Tensor:
    """(B, C, ...) the samples of a LATENT as ComfyUI's samplers start from them.

    From 0.16 on an empty LATENT says which reduction of the picture it was made for, and samplers resize it where the
    model has another one.
    """
    adapt = comfy.sample.fix_empty_latent_channels
    known = inspect.signature(adapt).parameters
    samples: Tensor = adapt(
        model, latent["samples"], **{name: latent.get(name) for name in _SIZE_HINTS if name in known}
    )
    return samples


def flux_blocks_put_text_first() -> bool:
    """Whether the blocks that HunyuanVideo shares with Flux always lay [text, image]; 0.3.75 can flip them, and does there."""
    return "flipped_img_txt" not in inspect.signature(DoubleStreamBlock.__init__).parameters


def sa_solver_goes_all_the_way() -> bool:
    """Whether ComfyUI's sa_solver gives back its last state (as in 0.30), not the one before, where it ends above 0."""
    return inspect.getsource(k_diffusion.sample_sa_solver).rstrip().endswith("x_pred")


@contextmanager
def without_graphs() -> Iterator[None]:
    """Within the block ComfyUI replays no CUDA graph (0.33.1 and newer): a replay runs no Python, nor this pack's."""
    settings = comfy.cli_args.args
    before = getattr(settings, _NO_GRAPHS, None)
    if before is None:
        yield
        return
    setattr(settings, _NO_GRAPHS, True)
    try:
        yield
    finally:
        setattr(settings, _NO_GRAPHS, before)


def on_one_device(model_options: dict[str, Any]) -> dict[str, Any]:
    """Take the split over several GPUs (0.33 and newer) out of `model_options`, a copy, and return it.

    Each GPU works in a thread of its own, to which neither PyTorch's gradient mode nor an exception of this thread belongs.
    """
    model_options.pop("multigpu_clones", None)
    return model_options


def warn_of_own_attention(network: nn.Module, node: str) -> None:
    """Say it where layers of a network want another attention than the rest (0.38): an override replaces that, too."""
    if any(type(one).__name__ == "ComfyAttention" and getattr(one, "function", None) for one in network.modules()):
        _LOG.warning(
            "%s: this model's file asks for INT8 attention in some layers. While their attention is recorded they use "
            "ComfyUI's ordinary one, so the picture differs slightly from the one without this node",
            node,
        )


@contextmanager
def casts_that_last() -> Iterator[None]:
    """Within the block, cast weights that autograd may keep are copies, where ComfyUI casts into memory that it reuses.

    0.3.75 casts into new memory. Newer ones have buffers, and memory that may be taken back ("dynamic VRAM"): backward
    would read another layer's weight there, and nothing would tell.
    """
    if not hasattr(comfy.model_management, "get_cast_buffer"):
        yield
        return
    own: Callable[..., Any] = comfy.ops.cast_bias_weight

    def cast(layer: nn.Module, *args: Any, **kwargs: Any) -> Any:
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
