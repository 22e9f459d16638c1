"""One call of a model that is recorded with its graph, no further than it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import comfy.samplers
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor, nn

from ..core.attention.calls import AttentionCall, outline
from ..core.isac.differentiate import ObjectiveStep
from .capture import Capture, Override, both_as_heads
from .differentiable import differentiable, uncompiled, without_compile
from .families.family import Family, ModelInputs
from .recorded_call import recording_options
from .tap import Tap, token_of

_KEY = "headcount_gradient"


class _EnoughRecorded(Exception):
    """Ends a model call at the last attention call that the objective reads."""


@dataclass(kw_only=True)
class GraphCapture(Capture):
    """A capture that hands calls on to a step, and keeps their outlines and a token in the model's graph for each.

    It ends the model's call once it has enough, and passes over what backward computes again.

    Attributes:
        step: sees the calls that are wanted.
        wanted: numbers of the attention calls that are wanted, from 1; None for all.
        tokens: () each, of `calls`; see `Tap`.
        closed: the model's call is over: what comes now is recomputed.
        called: the model was called at all.
    """

    of_gradients: ClassVar[bool] = True

    step: ObjectiveStep
    wanted: frozenset[int] | None = None
    tokens: list[Tensor] = field(default_factory=list, init=False)
    closed: bool = field(default=False, init=False)
    called: bool = field(default=False, init=False)
    _tapped: tuple[Tap, Tensor] | None = field(default=None, init=False)

    def model_call(self, inputs: ModelInputs) -> AbstractContextManager[None]:
        self.called = True
        return super().model_call(inputs)

    def _read(self, q: Tensor, k: Tensor, heads: int, mask: Tensor | None, kwargs: Mapping[str, Any]) -> None:
        tap = Tap(self.step)
        token = tap.token(*both_as_heads(q, k, heads, kwargs))
        if self.closed:
            return
        self._tapped = tap, token
        try:
            super()._read(q, k, heads, mask, kwargs)
        finally:
            self._tapped = None

    def _take(self, *call: Any) -> None:
        super()._take(*call)
        if self.wanted and self.seen >= max(self.wanted):
            raise _EnoughRecorded

    def _keep(self, call: AttentionCall) -> None:
        if self.wanted and call.place not in self.wanted:
            return
        with torch.no_grad():
            self.step.see(replace(call, queries=call.queries.detach(), keys=call.keys.detach()))
        kept = outline(call)
        if self._tapped is None:
            token = token_of(self.step, call)
        else:
            tap, token = self._tapped
            tap.call = kept
        self.calls.append(kept)
        # A way back through the keys alone would be a part of the gradient only.
        self.tokens.append(token if call.queries.requires_grad else token.detach())


@dataclass(frozen=True)
class DifferentiableCall:
    """What is called: ComfyUI's BaseModel with one processed conditioning.

    Attributes:
        inner_model: loaded.
        recomputes: the blocks of the family are computed again in backward.
    """

    inner_model: Any
    family: Family
    conditioning: Mapping[str, Any]
    recomputes: bool = False

    def __call__(
        self,
        latent: Tensor,
        sigma: Tensor,
        model_options: dict[str, Any],
        step: ObjectiveStep,
        wanted: frozenset[int] | None,
        stack: ExitStack,
    ) -> GraphCapture:
        """Call the model through ComfyUI's `calc_cond_batch`, up to the last attention call that is wanted.

        Args:
            latent: (B, C, h, w), requires grad.
            sigma: (B,) noise level.
            step: sees the calls as they come.
            wanted: numbers of the attention calls to record, from 1; None for all.
            stack: until it closes, the model's graph can be run backward.

        Returns:
            Outlines of the recorded calls, and their tokens; none when the conditioning is not active.
        """
        reader = self.family.reader((latent.shape[-2], latent.shape[-1]))
        capture = GraphCapture(reader=reader, step=step, wanted=wanted)
        options = without_compile(
            recording_options(model_options, capture, _differentiable_attention, keep_previous=False)
        )
        add_wrapper_with_key(WrappersMP.APPLY_MODEL, _KEY, self._prepared(stack), options, is_model_options=True)
        for network in _networks_of(self.conditioning):
            stack.enter_context(differentiable(network, self._blocks))
        with suppress(_EnoughRecorded):
            comfy.samplers.calc_cond_batch(self.inner_model, [[self.conditioning]], latent, sigma.clone(), options)
        capture.closed = True
        return capture

    @property
    def _blocks(self) -> tuple[type, ...]:
        return self.family.blocks if self.recomputes else ()

    def _prepared(self, stack: ExitStack) -> Callable[..., Any]:
        """An APPLY_MODEL wrapper: ComfyUI's hooks, such as scheduled LoRAs, change weights right before it runs."""
        ready = False

        def prepare(executor: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal ready
            if not ready:
                ready = True
                stack.enter_context(uncompiled(executor.class_obj))
                stack.enter_context(differentiable(executor.class_obj.diffusion_model, self._blocks))
            return executor(*args, **kwargs)

        return prepare


def _differentiable_attention(_: Override, *args: Any, **kwargs: Any) -> Tensor:
    """PyTorch's attention, whatever the user runs: flash and sage kernels have no backward."""
    return attention_pytorch(*args, **kwargs)


def _networks_of(conditioning: Mapping[str, Any]) -> Iterator[nn.Module]:
    """The networks that a conditioning brings along: its ControlNets, which the latent runs through as well, and others."""
    control, seen = conditioning.get("control"), set[nn.Module]()
    others = [conditioning["gligen"][1]] if "gligen" in conditioning else []
    for patcher in (*others, *conditioning.get("additional_models", ())):
        if isinstance(patcher.model, nn.Module) and patcher.model not in seen:
            seen.add(patcher.model)
            yield patcher.model
    while control is not None:
        network = getattr(control, "control_model", None)
        if isinstance(network, nn.Module) and network not in seen:
            seen.add(network)
            yield network
        control = getattr(control, "previous_controlnet", None)
