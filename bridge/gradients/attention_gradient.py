"""The gradient of an attention objective with respect to the latent, through ComfyUI's own model."""

from __future__ import annotations

from collections.abc import Mapping, MutableMapping
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import torch
from torch import Tensor

from ...core.attention import show_both_kinds
from ...core.isac import Objective, ObjectiveStep, StepLosses
from ..comfyui.node_names import COUNT_CONTROL, NOISE_PICKER
from ..comfyui.run_notes import RunNotes
from ..families.family import Family
from .autograd_weights import StandIns
from .differentiable import training_kernels
from .differentiable_call import DifferentiableCall, GradientHook, OtherCalls, ReadCalls, read_calls
from .errors import explained, no_gradient, out_of_memory, writes_in_place
from .memory import GradientMemory, MemorySetting
from .overwritten import overwritten_tensors_kept

LearntCalls = MutableMapping[tuple[int, ...], ReadCalls]
"""Shape of the sampler's state to the calls that an objective reads of a model; may outlive a run."""


@dataclass(frozen=True)
class AttentionGradient:
    """What one gradient pass gives: the gradient (as `x`), and the losses at `x`, without graph."""

    gradient: Tensor
    losses: StepLosses


class GradientPass:
    """Takes gradients through one model, run after run of the same shape.

    Which of the model's attention calls the objective reads is learnt before the first pass, by a call without a graph, unless
    an earlier run of the same model has learnt it: no pass runs the model further than that, nor keeps other calls. One object
    serves one conditioning of one sampling run, and one kind of objective.

    Args:
        inner_model: ComfyUI's BaseModel, loaded.
        conditioning: a processed conditioning of ComfyUI.
        memory: "fast" keeps all activations, "low" recomputes the network's blocks in backward, "auto" does so where all
            activations would not fit. The gradient is the same.
        notes: of the node that errors speak of, and where warnings go.
        learnt: by earlier runs of this conditioning's place on the same patched model; filled.
    """

    def __init__(
        self,
        inner_model: Any,
        family: Family,
        conditioning: Mapping[str, Any],
        memory: MemorySetting = "auto",
        notes: RunNotes | None = None,
        learnt: LearntCalls | None = None,
    ) -> None:
        self._inner = inner_model
        self._family = family
        self._conditioning = conditioning
        self._memory = GradientMemory(memory, inner_model, bool(family.blocks))
        self._notes = notes or RunNotes(COUNT_CONTROL)
        self._node = self._notes.node
        self._learnt: LearntCalls = {} if learnt is None else learnt
        self._is_sure = False  # what was learnt is true of this run
        self._stand_ins: StandIns = {}
        # ComfyUI adds a ControlNet's output in place, to tensors that backward still needs.
        self._keeps_overwritten = conditioning.get("control") is not None

    def __call__(
        self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], objective: Objective
    ) -> AttentionGradient | None:
        """Differentiate `objective` of the attention that the model pays at `x`.

        The model runs once more, through ComfyUI's `calc_cond_batch`, so areas, ControlNets, hooks and LoRA schedules
        act as they do in the sampler's own call. Neither the model nor `x` is changed. Where memory runs out, blocks
        are recomputed from then on; where that is not enough, the step is given up with a warning.

        Args:
            x: (B, C, h, w) the sampler's state.
            sigma: (B,) noise level.

        Returns:
            None when the conditioning is not active at this noise level, and when the step is given up.

        Raises:
            CountError: gradients cannot pass through this model.
        """
        while True:
            try:
                return self._differentiated(x, sigma, model_options, objective)
            except OtherCalls:
                del self._learnt[tuple(x.shape)]
                continue
            except RuntimeError as error:
                again = self._can_be_helped(error)
            # Here the error no longer holds the tensors of the pass.
            comfy.model_management.soft_empty_cache()
            if not again:
                return None

    def _can_be_helped(self, error: RuntimeError) -> bool:
        """Prepare for another try; False when memory is short and there is nothing left to try."""
        if out_of_memory(error):
            again = self._memory.ran_out()
            if not again:
                self._notes.warn(
                    "not enough memory for the gradient, so steps are left out. Make the image or the batch smaller, "
                    f"or use {NOISE_PICKER}, which needs no gradient"
                )
            return again
        if writes_in_place(error) and not self._keeps_overwritten:
            self._keeps_overwritten = True  # some other node's patch does
            return True
        explanation = explained(error, self._node)
        if explanation is None:
            raise error
        raise explanation from error

    def _differentiated(
        self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], objective: Objective
    ) -> AttentionGradient | None:
        recomputes = self._memory.recomputes(x)
        call = DifferentiableCall(self._inner, self._family, self._conditioning, recomputes, self._stand_ins)
        with ExitStack() as stack:
            stack.enter_context(training_kernels())
            stack.enter_context(torch.inference_mode(False))
            wanted = self._wanted(call, x, sigma, model_options, objective)
            if not wanted:
                return None
            stack.enter_context(torch.enable_grad())
            if self._keeps_overwritten:
                stack.enter_context(overwritten_tensors_kept())
            latent, step = x.clone().requires_grad_(), objective.start()
            with self._memory.measuring(x, recomputes):
                hook = call(latent, sigma, model_options, step, wanted, stack)
            if not hook.called:
                return None
            self._is_sure = True
            losses = step.finish()
            gradient = pulled_back(hook, step, latent, self._node)
        return AttentionGradient(gradient, losses)

    def _wanted(
        self, call: DifferentiableCall, x: Tensor, sigma: Tensor, model_options: dict[str, Any], objective: Objective
    ) -> ReadCalls | None:
        """The calls that the objective reads; None when there are none to read."""
        shape = tuple(x.shape)
        if shape not in self._learnt:
            calls = call.outlines(x.clone(), sigma, model_options)
            if calls is None:
                return None
            if not show_both_kinds(calls):
                self._notes.warn(
                    f"this model shows {'only a part' if calls else 'none'} of its attention, so nothing is steered. "
                    "Remove nodes that compile it or replace its attention"
                )
                return None
            self._learnt[shape], self._is_sure = read_calls(objective.select(calls)), True
        wanted = self._learnt[shape]
        return dict.fromkeys(wanted) if self._is_sure else wanted


def pulled_back(hook: GradientHook, step: ObjectiveStep, latent: Tensor, node: str) -> Tensor:
    """The gradient (as `latent`) of a finished step; the calls' gradients are made one by one, as backward passes their calls.

    Calls that no later one hangs on, such as the second attention of a block, get theirs too: each has its own probe.

    Raises:
        CountError: the model's graph does not lead back to `latent`.
    """
    touched = [output for call, output in zip(hook.calls, hook.outputs, strict=True) if step.has_gradient(call)]
    hook.outputs.clear()
    if not touched:
        return torch.zeros_like(latent)
    if not all(output.requires_grad for output in touched):
        raise no_gradient(node, "one of its layers ends the graph")
    outputs = torch.stack(touched)
    (gradient,) = torch.autograd.grad(outputs, latent, torch.ones_like(outputs))
    return gradient
