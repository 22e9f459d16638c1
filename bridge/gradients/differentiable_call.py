"""One call of a model with its graph, no further than an objective reads its attention."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, suppress
from dataclasses import dataclass, field, replace
from typing import Any

import comfy.samplers
import torch
from comfy.ldm.modules.attention import attention_pytorch
from comfy.patcher_extension import WrappersMP, add_wrapper_with_key
from torch import Tensor, nn

from ...core.attention import AttentionCall, Grid, outline
from ...core.isac import ObjectiveStep
from ..attention.arguments import ModelAttention
from ..attention.capture import Capture
from ..attention.hook import FOR_GRADIENT, AttentionFunction, AttentionHook, hooked_options
from ..families.family import Family, ModelInputs, Reader
from ..sampling.own_call import without_compile
from .autograd_weights import StandIns
from .differentiable import differentiable, uncompiled
from .probe import GradientProbe, output_of

_KEY = "headcount_gradient"


ReadCalls = Mapping[int, tuple[str, str, Grid] | None]
"""Number of an attention call that is read, from 1, to its layer, kind and grid; None for any."""


def read_calls(calls: list[AttentionCall]) -> ReadCalls:
    """By what later runs recognise selected calls."""
    return {call.place: _identity(call) for call in calls}


def _identity(call: AttentionCall) -> tuple[str, str, Grid]:
    return call.layer, call.kind, call.grid


class OtherCalls(RuntimeError):
    """The model's attention calls are not those that were learnt."""


class _EnoughRead(Exception):
    """Ends a model call at the last attention call that the objective reads."""


class GradientHook:
    """An `AttentionHook` that hands calls on to a step, and keeps their outlines and a probe in the model's graph for each.

    It ends the model's call once it has enough, and passes over what backward computes again.

    Args:
        step: sees the calls that are wanted.
        wanted: the attention calls that are wanted.

    Raises:
        OtherCalls: while the model runs.

    Attributes:
        calls: outlines of the wanted calls.
        outputs: () each, of their probes; see `GradientProbe`.
        called: the model was called at all.
        closed: the model's call is over: what comes now is recomputed.
    """

    of_gradients = True

    def __init__(self, reader: Reader, step: ObjectiveStep, wanted: ReadCalls) -> None:
        self.calls: list[AttentionCall] = []
        self.outputs: list[Tensor] = []
        self.called = self.closed = False
        self._reader, self._step, self._wanted = reader, step, wanted
        self._seen = 0

    def begin(self, inputs: ModelInputs) -> AbstractContextManager[None]:
        self.called = True
        return self._reader.begin(inputs, lambda call, _: self._take(call))

    def on_call(self, attention: ModelAttention | None, compute: Callable[[], Tensor]) -> Tensor:
        if attention is None:
            self._seen += 1
            return compute()
        probe = GradientProbe(self._step)
        output = probe.output(attention.queries, attention.keys)
        if not self.closed:
            call = self._reader.read(attention.queries, attention.keys, attention.bias, attention.options)
            self._take(call, probe, output)
        return compute()

    def finish(self, inputs: ModelInputs) -> None:
        pass

    def _take(
        self, call: AttentionCall | None, probe: GradientProbe | None = None, output: Tensor | None = None
    ) -> None:
        self._seen += 1
        identity = self._wanted.get(self._seen)
        if identity is not None and (call is None or _identity(call) != identity):
            raise OtherCalls(f"attention call {self._seen} is not {identity}")
        if call is not None and self._seen in self._wanted:
            self._keep(replace(call, place=self._seen), probe, output)
        if self._seen >= max(self._wanted):
            raise _EnoughRead

    def _keep(self, call: AttentionCall, probe: GradientProbe | None, output: Tensor | None) -> None:
        with torch.no_grad():
            self._step.accumulate(replace(call, queries=call.queries.detach(), keys=call.keys.detach()))
        shape_only = outline(call)
        if probe is None or output is None:
            output = output_of(self._step, call)
        else:
            probe.call = shape_only
        self.calls.append(shape_only)
        # A way back through the keys alone would be a part of the gradient only.
        self.outputs.append(output if call.queries.requires_grad else output.detach())


class _Outlines:
    """A `CallSink` that lets go of queries and keys."""

    def __init__(self) -> None:
        self.calls: list[AttentionCall] = []

    def add(self, call: AttentionCall) -> None:
        self.calls.append(outline(call))


@dataclass(frozen=True)
class DifferentiableCall:
    """What is called: ComfyUI's BaseModel with one processed conditioning.

    Attributes:
        inner_model: loaded.
        recomputes: the blocks of the family are computed again in backward.
        stand_ins: of the weights, from earlier calls.
    """

    inner_model: Any
    family: Family
    conditioning: Mapping[str, Any]
    recomputes: bool = False
    stand_ins: StandIns = field(default_factory=dict)

    def __call__(
        self,
        latent: Tensor,
        sigma: Tensor,
        model_options: dict[str, Any],
        step: ObjectiveStep,
        wanted: ReadCalls,
        stack: ExitStack,
    ) -> GradientHook:
        """Call the model with its graph, up to the last attention call that is wanted.

        Args:
            latent: (B, C, h, w), requires grad.
            sigma: (B,) noise level.
            step: sees the calls as they come.
            wanted: the attention calls that the step reads.
            stack: until it closes, the model's graph can be run backward.

        Returns:
            Outlines of the read calls, and the outputs of their probes; none when the conditioning is not active.

        Raises:
            OtherCalls: the model does not make the wanted calls.
        """
        hook = GradientHook(self._reader(latent), step, wanted)
        with suppress(_EnoughRead):
            self._run(latent, sigma, model_options, hook, stack)
        hook.closed = True
        if hook.called and len(hook.calls) < sum(identity is not None for identity in wanted.values()):
            raise OtherCalls("the model shows fewer attention calls than it did")
        return hook

    @torch.no_grad()
    def outlines(self, latent: Tensor, sigma: Tensor, model_options: dict[str, Any]) -> list[AttentionCall] | None:
        """Outlines of all attention calls that the model makes; None when the conditioning is not active.

        Of a call without a graph, since one with it would keep the activations of the whole model.
        """
        outlines = _Outlines()
        capture = Capture(self._reader(latent), sink=outlines, of_gradients=True)
        with ExitStack() as stack:
            self._run(latent, sigma, model_options, capture, stack)
        return outlines.calls if capture.called else None

    def _run(
        self, latent: Tensor, sigma: Tensor, model_options: dict[str, Any], hook: AttentionHook, stack: ExitStack
    ) -> None:
        """Call the model through ComfyUI's `calc_cond_batch`."""
        options = without_compile(hooked_options(model_options, hook, _differentiable_attention, keep_previous=False))
        options["transformer_options"][FOR_GRADIENT] = True
        add_wrapper_with_key(WrappersMP.APPLY_MODEL, _KEY, self._prepared(stack), options, is_model_options=True)
        for network in _networks_of(self.conditioning):
            stack.enter_context(self._differentiable(network))
        comfy.samplers.calc_cond_batch(self.inner_model, [[self.conditioning]], latent, sigma.clone(), options)

    def _reader(self, latent: Tensor) -> Reader:
        return self.family.reader((latent.shape[-2], latent.shape[-1]))

    def _differentiable(self, network: nn.Module) -> AbstractContextManager[None]:
        blocks = self.family.blocks if self.recomputes else ()
        return differentiable(network, blocks, self.family.overwritten, self.stand_ins)

    def _prepared(self, stack: ExitStack) -> Callable[..., Any]:
        """An APPLY_MODEL wrapper: ComfyUI's hooks, such as scheduled LoRAs, change weights right before it runs."""
        ready = False

        def prepare(executor: Any, *args: Any, **kwargs: Any) -> Any:
            nonlocal ready
            if not ready:
                ready = True
                stack.enter_context(uncompiled(executor.class_obj))
                stack.enter_context(self._differentiable(executor.class_obj.diffusion_model))
            return executor(*args, **kwargs)

        return prepare


def _differentiable_attention(_: AttentionFunction, *args: Any, **kwargs: Any) -> Tensor:
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
