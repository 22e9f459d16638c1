"""The gradient of an attention objective with respect to the latent, through ComfyUI's own model."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch
from comfy.ldm.modules.attention import attention_pytorch
from torch import Tensor

from ..core.isac.differentiate import Objective, StepLosses
from .capture import Capture
from .families.family import Family
from .normal_weights import normal_weights
from .recorded_call import recording_options


@dataclass(frozen=True)
class AttentionGradient:
    """What one gradient pass gives: the gradient (as `x`), and the losses at `x`, without graph."""

    gradient: Tensor
    losses: StepLosses


class _EnoughRecorded(Exception):
    """Ends a model call after the last attention call that the objective reads."""


class GradientPass:
    """Takes gradients through one model, run after run of the same shape.

    The model is run no further than the objective reads: how far that is, is learnt in the first call. One object
    serves one conditioning of one sampling run.
    """

    def __init__(self, inner_model: Any, family: Family, conditioning: Mapping[str, Any]) -> None:
        self._inner = inner_model
        self._family = family
        self._conditioning = conditioning
        self._enough: int | None = None

    def __call__(
        self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], objective: Objective
    ) -> AttentionGradient | None:
        """Differentiate `objective` of the attention that the model pays at `x`.

        The model runs once more, through ComfyUI's `calc_cond_batch`, so areas, ControlNets, hooks and LoRA schedules
        act as they do in the sampler's own call. Neither the model nor `x` is changed.

        Args:
            x: (B, C, h, w) the sampler's state.
            sigma: (B,) noise level.

        Returns:
            None when the conditioning is not active at this noise level.
        """
        with ExitStack() as stack:
            for network in _networks(self._inner, self._conditioning):
                stack.enter_context(normal_weights(network))
            stack.enter_context(torch.inference_mode(False))
            stack.enter_context(torch.enable_grad())
            if self._conditioning.get("control") is not None:
                # ComfyUI adds a ControlNet's output in place, to tensors that backward still needs.
                stack.enter_context(torch.autograd.graph.allow_mutation_on_saved_tensors())
            latent = x.clone().requires_grad_()
            capture = self._run(latent, sigma, model_options)
            if not capture.calls:
                return None
            calls = objective.select(capture.calls)
            self._enough = calls[-1].place
            losses, pulls = objective(calls)
            if not pulls:
                return AttentionGradient(torch.zeros_like(latent), losses)
            outputs = [tensor for pull in pulls for tensor in (pull.call.queries, pull.call.keys)]
            gradients = [gradient for pull in pulls for gradient in (pull.queries, pull.keys)]
            # Keys of text tokens do not hang on the latent.
            live = [(o, g) for o, g in zip(outputs, gradients, strict=True) if o.requires_grad]
            (gradient,) = torch.autograd.grad([o for o, _ in live], latent, [g for _, g in live])
        return AttentionGradient(gradient, losses)

    def _run(self, latent: Tensor, sigma: Tensor, model_options: dict[str, Any]) -> Capture:
        capture = Capture(self._family.reader((latent.shape[-2], latent.shape[-1])))
        options = recording_options(model_options, capture, self._attention(capture), keep_previous=False)
        with suppress(_EnoughRecorded):
            comfy.samplers.calc_cond_batch(self._inner, [[self._conditioning]], latent, sigma.clone(), options)
        return capture

    def _attention(self, capture: Capture) -> Callable[..., Tensor]:
        """PyTorch's attention, whatever the user runs: flash and sage kernels have no backward."""

        def attention(_: Callable[..., Tensor], *args: Any, **kwargs: Any) -> Tensor:
            if capture.seen == self._enough:
                raise _EnoughRecorded
            return attention_pytorch(*args, **kwargs)

        return attention


def _networks(inner_model: Any, conditioning: Mapping[str, Any]) -> Iterator[torch.nn.Module]:
    """Every network that the latent runs through: the diffusion model, and the ControlNets of the conditioning."""
    yield inner_model.diffusion_model
    control = conditioning.get("control")
    while control is not None:
        network = getattr(control, "control_model", None)
        if isinstance(network, torch.nn.Module):
            yield network
        control = getattr(control, "previous_controlnet", None)
