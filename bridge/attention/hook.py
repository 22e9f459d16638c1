"""Puts a hook on the attention of a model's calls.

The override goes in when the model is called, behind all other nodes' wrappers: one that assigns the slot without looking
cannot push this one out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

import comfy.model_patcher
import torch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor

from ..comfyui.compatibility import unpacked, without_graphs
from ..comfyui.streams import video_shape
from ..families.family import FOR_GRADIENT, ModelInputs
from .arguments import ModelAttention, model_attention

SLOT = "optimized_attention_override"
KEY = "headcount"
AttentionFunction = Callable[..., Tensor]


class AttentionHook(Protocol):
    """Looks at the attention calls of a model, or changes their answers.

    Attributes:
        of_gradients: model calls that a node takes a gradient of are looked at, too.
    """

    of_gradients: bool

    def begin(self, inputs: ModelInputs) -> AbstractContextManager[None] | None:
        """A call of the model begins: what to do around it, or None to leave it alone.

        Raises:
            CountError: these inputs cannot be read.
        """

    def on_call(self, attention: ModelAttention | None, compute: Callable[[], Tensor]) -> Tensor:
        """One attention call of that model call.

        Args:
            attention: None where it comes in a form that is not known.
            compute: computes the answer as it would be without the hook.

        Returns:
            the answer that the model gets.
        """

    def finish(self, inputs: ModelInputs) -> None:
        """The call of the model is over."""


def is_for_gradient(x: Tensor, options: Mapping[str, Any]) -> bool:
    """Whether a model call is one that a node takes a gradient of, or prepares one with: the sampler's own is still to come."""
    has_graph = torch.is_grad_enabled() and not torch.is_inference_mode_enabled() and x.requires_grad
    return has_graph or options.get(FOR_GRADIENT, False)


def users_own(function: AttentionFunction, *args: Any, **kwargs: Any) -> Tensor:
    """Run the attention function that the model itself would have run."""
    return function(*args, **kwargs)


def hooked_options(
    model_options: dict[str, Any],
    hook: AttentionHook,
    attention: AttentionFunction = users_own,
    keep_previous: bool = True,
) -> dict[str, Any]:
    """A copy of `model_options` under which the model's attention calls go through `hook`.

    Args:
        attention: computes the attention; called as `attention(function, *arguments)` with the model's own function.
        keep_previous: run an override that another node has put there; else `attention` takes its place.
    """
    options = comfy.model_patcher.create_model_options_clone(model_options)

    def call_model(  # noqa: ANN202 - ComfyUI's signature
        executor,  # noqa: ANN001
        x,  # noqa: ANN001
        t,  # noqa: ANN001
        c_concat=None,  # noqa: ANN001
        c_crossattn=None,  # noqa: ANN001
        control=None,  # noqa: ANN001
        transformer_options=None,  # noqa: ANN001
        **kwargs,  # noqa: ANN003
    ):
        inner = dict(transformer_options or {})
        arguments = (x, t, c_concat, c_crossattn, control, inner)
        text = 0 if c_crossattn is None else c_crossattn.shape[1]
        shape = video_shape(x.shape, kwargs.get("latent_shapes"))
        size, frames = (shape[-2], shape[-1]), shape[2] if len(shape) == 5 else 1
        inputs = ModelInputs(executor.class_obj.diffusion_model, size, text, kwargs, inner, frames)
        around = None if is_for_gradient(x, inner) and not hook.of_gradients else hook.begin(inputs)
        if around is None:
            return executor(*arguments, **kwargs)
        previous = inner.get(SLOT) if keep_previous else None
        inner[SLOT] = override_of(hook, attention if previous is None else previous)
        with without_graphs(), around:
            answer = executor(*arguments, **kwargs)
        hook.finish(inputs)
        return answer

    add_wrapper_with_key(WrappersMP.APPLY_MODEL, KEY, call_model, options, is_model_options=True)
    return options


def override_of(hook: AttentionHook, attention: AttentionFunction = users_own) -> AttentionFunction:
    """An attention override for ComfyUI's slot; `attention` computes, see `hooked_options`."""

    @torch.compiler.disable  # a hook's counting and numbering would have every call of a model compiled anew
    def attend(function: AttentionFunction, q: Any, k: Any, v: Any, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        q, k, v = unpacked(q, k, v)
        mask = args[0] if args else kwargs.get("mask")
        return hook.on_call(
            model_attention(q, k, v, heads, mask, kwargs),
            lambda: attention(function, q, k, v, heads, *args, **kwargs),
        )

    return attend
