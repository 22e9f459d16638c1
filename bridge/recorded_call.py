"""Model options under which one model call is recorded."""

from __future__ import annotations

from typing import Any

import comfy.model_patcher
import torch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from .capture import SLOT, Capture, Override
from .families.family import ModelInputs
from .newer_comfyui import without_graphs

_KEY = "headcount"


def is_differentiated(x: Tensor) -> bool:
    """Whether a model call is one that a node takes a gradient of: the sampler's own call is still to come."""
    return torch.is_grad_enabled() and not torch.is_inference_mode_enabled() and x.requires_grad


def recording_options(
    model_options: dict[str, Any], capture: Capture, attention: Override, keep_previous: bool
) -> dict[str, Any]:
    """A copy of `model_options` under which the model's attention calls land in `capture`.

    The override goes in when the model is called, behind all other nodes' wrappers: one that assigns the slot without
    looking cannot push this one out.

    Args:
        attention: what computes the attention, see `Capture.override`.
        keep_previous: run an override that another node has put there; else `attention` takes its place.
    """
    options = comfy.model_patcher.create_model_options_clone(model_options)

    def with_capture(  # noqa: ANN202 - ComfyUI's signature
        executor,
        x,
        t,
        c_concat=None,
        c_crossattn=None,
        control=None,
        transformer_options=None,
        **kwargs,  # noqa: ANN001
    ):
        own = dict(transformer_options or {})
        if (is_differentiated(x) and not capture.of_gradients) or not capture.begins(own):
            return executor(x, t, c_concat, c_crossattn, control, own, **kwargs)
        own[SLOT] = capture.override(attention, own.get(SLOT) if keep_previous else None)
        text = 0 if c_crossattn is None else c_crossattn.shape[1]
        size, frames = (x.shape[-2], x.shape[-1]), x.shape[2] if x.ndim == 5 else 1
        inputs = ModelInputs(executor.class_obj.diffusion_model, size, text, kwargs, own, frames)
        with without_graphs(), capture.model_call(inputs):
            return executor(x, t, c_concat, c_crossattn, control, own, **kwargs)

    add_wrapper_with_key(WrappersMP.APPLY_MODEL, _KEY, with_capture, options, is_model_options=True)
    return options
