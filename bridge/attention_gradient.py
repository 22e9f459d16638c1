"""The gradient of an attention objective with respect to the latent, through ComfyUI's own model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, replace
from typing import Any

import comfy.samplers
import torch
from comfy.ldm.modules.attention import attention_pytorch
from torch import Tensor

from ..core.attention.aggregate import AttentionMaps, aggregate
from ..core.attention.calls import AttentionCall
from ..core.isac.objective import StepLosses
from .capture import Capture
from .normal_weights import normal_weights
from .recorded_call import recording_options

Objective = Callable[[list[AttentionCall]], StepLosses]


@dataclass(frozen=True)
class AttentionGradient:
    """What one gradient pass gives: the gradient (as `x`), and the maps and losses at `x`, without graph."""

    gradient: Tensor
    maps: AttentionMaps
    losses: StepLosses


def _networks(inner_model: Any, conditioning: Mapping[str, Any]) -> Iterator[torch.nn.Module]:
    """Every network that the latent runs through: the diffusion model, and the ControlNets of the conditioning."""
    yield inner_model.diffusion_model
    control = conditioning.get("control")
    while control is not None:
        network = getattr(control, "control_model", None)
        if isinstance(network, torch.nn.Module):
            yield network
        control = getattr(control, "previous_controlnet", None)


def _differentiable_attention(_: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
    """PyTorch's attention, whatever the user runs: flash and sage kernels have no backward."""
    return attention_pytorch(*args, **kwargs)


def attention_gradient(
    inner_model: Any,
    conditioning: Mapping[str, Any],
    x: Tensor,
    sigma: Tensor,
    model_options: dict[str, Any],
    objective: Objective,
    most_self_pixels: int | None = None,
) -> AttentionGradient | None:
    """Differentiate `objective` of the attention that the model pays at `x` under one conditioning.

    The model runs once more, through ComfyUI's `calc_cond_batch`, so areas, ControlNets, hooks and LoRA schedules act
    as they do in the sampler's own call. Neither the model nor `x` is changed.

    Args:
        x: (B, C, h, w) the sampler's state.
        sigma: (B,) noise level.
        objective: from the recorded calls to losses.
        most_self_pixels: leave finer self-attention out, where the objective does not need it; see `Capture`.

    Returns:
        None when the conditioning is not active at this noise level.
    """
    capture = Capture((x.shape[-2], x.shape[-1]), most_self_pixels=most_self_pixels)
    options = recording_options(model_options, capture, _differentiable_attention, keep_previous=False)
    with ExitStack() as stack:
        for network in _networks(inner_model, conditioning):
            stack.enter_context(normal_weights(network))
        stack.enter_context(torch.inference_mode(False))
        stack.enter_context(torch.enable_grad())
        if conditioning.get("control") is not None:
            # ComfyUI adds a ControlNet's output in place, to tensors that backward still needs.
            stack.enter_context(torch.autograd.graph.allow_mutation_on_saved_tensors())
        latent = x.clone().requires_grad_()
        comfy.samplers.calc_cond_batch(inner_model, [[conditioning]], latent, sigma.clone(), options)
        if not capture.calls:
            return None
        losses = objective(capture.calls)
        gradient = _gradient(losses.total, latent)
        with torch.no_grad():
            maps = aggregate(capture.calls)
    numbers = replace(
        losses,
        instance=losses.instance.detach(),
        semantic=losses.semantic.detach(),
        total=losses.total.detach(),
    )
    return AttentionGradient(gradient, maps, numbers)


def _gradient(total: Tensor, latent: Tensor) -> Tensor:
    """Zero, and no backward pass, where nothing is to be changed: a right layout, or a single instance."""
    if not total.requires_grad or not bool(total.detach().any()):
        return torch.zeros_like(latent)
    return torch.autograd.grad(total.sum(), latent)[0]
