"""One call of a model that is recorded with its graph, no further than it is needed."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field
from typing import Any

import comfy.samplers
from comfy.ldm.modules.attention import attention_pytorch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor, nn

from ..core.attention.calls import AttentionCall
from .capture import Capture, Override
from .differentiable import differentiable, uncompiled, without_compile
from .families.family import Family, ModelInputs
from .recorded_call import recording_options

_KEY = "headcount_gradient"


class _EnoughRecorded(Exception):
    """Ends a model call at the last attention call that the objective reads."""


@dataclass
class GraphCapture(Capture):
    """A capture that ends the model's call once it has enough, and passes over what backward computes again.

    Attributes:
        wanted: numbers of the attention calls that are wanted, from 1; None for all.
        closed: the model's call is over: what comes now is recomputed.
        called: the model was called at all.
    """

    wanted: frozenset[int] | None = None
    closed: bool = field(default=False, init=False)
    called: bool = field(default=False, init=False)

    def model_call(self, inputs: ModelInputs) -> AbstractContextManager[None]:
        self.called = True
        return super().model_call(inputs)

    def override(self, attention: Override, previous: Override | None = None) -> Override:
        record = super().override(attention, previous)
        return lambda function, *args, **kwargs: (attention if self.closed else record)(function, *args, **kwargs)

    def _take(self, *call: Any) -> None:
        super()._take(*call)
        if self.wanted and self.seen >= max(self.wanted):
            raise _EnoughRecorded

    def _keep(self, call: AttentionCall) -> None:
        if not self.wanted or call.place in self.wanted:
            super()._keep(call)


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
        wanted: frozenset[int] | None,
        stack: ExitStack,
    ) -> GraphCapture:
        """Call the model through ComfyUI's `calc_cond_batch`, up to the last attention call that is wanted.

        Args:
            latent: (B, C, h, w), requires grad.
            sigma: (B,) noise level.
            wanted: numbers of the attention calls to record, from 1; None for all.
            stack: until it closes, the model's graph can be run backward.

        Returns:
            The recorded calls, in their graph; none when the conditioning is not active.
        """
        capture = GraphCapture(self.family.reader((latent.shape[-2], latent.shape[-1])), wanted=wanted)
        options = without_compile(
            recording_options(model_options, capture, _differentiable_attention, keep_previous=False)
        )
        add_wrapper_with_key(WrappersMP.APPLY_MODEL, _KEY, self._prepared(stack), options, is_model_options=True)
        for network in _control_networks(self.conditioning):
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


def _control_networks(conditioning: Mapping[str, Any]) -> Iterator[nn.Module]:
    """The networks of a conditioning's ControlNets, which the latent runs through as well."""
    control, seen = conditioning.get("control"), set[nn.Module]()
    while control is not None:
        network = getattr(control, "control_model", None)
        if isinstance(network, nn.Module) and network not in seen:
            seen.add(network)
            yield network
        control = getattr(control, "previous_controlnet", None)
