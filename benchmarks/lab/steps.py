"""Steered and recorded steps of a model, in every mode, and the plain step that they are measured against.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

import comfy.model_management
import comfy.samplers
import torch
from headcount.bridge.attention.capture import CallSink, Capture
from headcount.bridge.attention.hook import hooked_options
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.families.family import Reader
from headcount.bridge.gradients.attention_gradient import GradientPass
from headcount.bridge.gradients.memory import MemorySetting
from headcount.bridge.isac.control import FAST_SHARE, WAIT_SHARE
from headcount.bridge.recording.recorder import RecordedRun
from headcount.core.attention import (
    AttentionCall,
    aggregate,
    largest_grid,
    mean_over_layers,
    mean_probabilities,
    noun_columns,
    noun_pixels,
)
from headcount.core.isac import (
    AnchoredObjective,
    CallGradient,
    LossWeights,
    Objective,
    ObjectiveStep,
    PaperObjective,
    PlainStep,
    PromptTarget,
    StepLosses,
    paper_losses,
)
from headcount.core.isac.anchored import semantic_calls

from .command import wait_for
from .measures import Parts, Step, peak_bytes, seconds_in, seconds_of, times
from .models import LoadedModel

SinkT = TypeVar("SinkT", bound=CallSink)
WEIGHTS = LossWeights(0.5, 0.5)
PAPER_FLOORS = {"sd15": 2.10, "sdxl": 2.01, "sd35m": 2.24}
"""Operations of a step with the paper's objective, which reads the whole model, against a plain step: no less is possible."""
CLUSTERING: Parts = {"clustering": ((noun_pixels, "cluster"),)}
"""What finds instances in the foreground, for `seconds_in`."""


def paper(target: PromptTarget) -> Objective:
    """The paper's objective in the middle of a run, where both of its losses count."""
    return PaperObjective(target, WEIGHTS)


def smooth_losses(calls: list[AttentionCall]) -> StepLosses:
    """The sum of all squared probabilities: every call counts, and there is no maximum that rounding could move."""
    total = torch.stack([(mean_probabilities(call) ** 2).sum((1, 2)) for call in calls]).sum(0)
    return StepLosses(total, torch.zeros_like(total), total)


@dataclass(frozen=True)
class FullGraph:
    """An objective as one would write it down: the matrices of all calls in one graph."""

    losses_of: Callable[[list[AttentionCall]], StepLosses]

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def start(self) -> ObjectiveStep:
        return PlainStep(self.losses_of)


def full_paper(target: PromptTarget) -> Objective:
    """The paper's objective in one graph."""
    return FullGraph(lambda calls: paper_losses(aggregate(calls), target, WEIGHTS))


@dataclass(frozen=True)
class AttendAndExcite:
    """Attend-and-Excite (Chefer et al. 2023, eq. 1 and 2) as published: the model is run to its end, then differentiated."""

    target: PromptTarget

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def touched(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        """Those that the losses are made of."""
        return semantic_calls(calls)

    def start(self) -> ObjectiveStep:
        return PlainStep(self._losses)

    def _losses(self, calls: list[AttentionCall]) -> StepLosses:
        used = self.touched(calls)
        maps = mean_over_layers(used, "cross", largest_grid(used))
        strongest = torch.stack([noun_columns(item, self.target.tokens).amax(0) for item in maps])
        loss = (1 - strongest).amax(1)
        return StepLosses(torch.zeros_like(loss), loss, loss)


@dataclass
class ShapesOnly:
    """Reads the calls that another objective reads, and gives those that it touches gradients that nobody needs."""

    like: Objective
    calls: list[AttentionCall] = field(default_factory=list)

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        read = self.like.select(calls)
        self.calls = self.like.touched(read) if isinstance(self.like, AttendAndExcite) else read
        return read

    def start(self) -> ObjectiveStep:
        return _EmptyStep(self)


@dataclass
class _EmptyStep:
    of: ShapesOnly

    def accumulate(self, call: AttentionCall) -> None:
        pass

    def finish(self) -> StepLosses:
        nothing = torch.zeros(len(self.of.calls[0].queries))
        return StepLosses(nothing, nothing, nothing)

    def has_gradient(self, call: AttentionCall) -> bool:
        return call.place in {other.place for other in self.of.calls}

    def gradient(self, call: AttentionCall) -> CallGradient:
        return CallGradient(call, torch.zeros_like(call.queries), torch.zeros_like(call.keys))


@dataclass(frozen=True)
class Mode:
    """A way to steer.

    Attributes:
        objective: None for a mode that only records.
        share: of a run's steps that are steered.
        dense: its matrices stay in memory, which may be too much.
    """

    objective: Callable[[PromptTarget], Objective] | None
    memory: MemorySetting = "fast"
    share: float = 1.0
    dense: bool = False


MODES = {
    "exact (anchored)": Mode(AnchoredObjective),
    "exact (paper)": Mode(paper),
    f"fast (anchored, {WAIT_SHARE:.0%} to {FAST_SHARE:.0%} of the steps)": Mode(
        AnchoredObjective, share=FAST_SHARE - WAIT_SHARE
    ),
    "blocks recomputed (anchored)": Mode(AnchoredObjective, "low"),
    "blocks recomputed (paper)": Mode(paper, "low"),
    "Attend-and-Excite, for reference": Mode(AttendAndExcite),
    "full graph (paper), for reference": Mode(full_paper, dense=True),
    "recording only": Mode(None),
}


def model_calls(model: LoadedModel, options: dict[str, Any]) -> None:
    """A plain step: both conditionings, or the positive one at cfg 1."""
    conditionings = [[one] for one in (model.counted.conditioning, model.negative) if one is not None]
    comfy.samplers.calc_cond_batch(model.patcher.model, conditionings, model.x, model.sigma, options)


def capture_step(
    model: LoadedModel, sink_of: Callable[[Reader], SinkT], options: dict[str, Any] | None = None
) -> SinkT:
    """A plain step that hands the positive conditioning's attention calls to a sink, made for the model's reader."""
    reader = model.family.reader((model.x.shape[-2], model.x.shape[-1]))
    sink = sink_of(reader)
    capture = Capture(reader, model.counted.conditioning.get("uuid"), sink)
    model_calls(model, hooked_options(options or {}, capture))
    return sink


def pass_of(model: LoadedModel, memory: MemorySetting = "fast") -> GradientPass:
    """A gradient pass through a model."""
    return GradientPass(
        model.patcher.model, model.family, model.counted.conditioning, memory, RunNotes("the benchmark")
    )


def gradient_step(model: LoadedModel, mode: Mode, objective: Objective | None = None) -> Step:
    """The gradient pass of a mode, on its own."""
    one = pass_of(model, mode.memory)
    wanted = objective or mode.objective(model.counted.target)
    return lambda: one(model.x, model.sigma, {}, wanted)


def step_of(model: LoadedModel, mode: Mode) -> Step:
    """A whole step of a mode: the gradient pass, if any, and the model's own calls."""
    if mode.objective is None:

        def recorded() -> None:
            run = RecordedRun([model.counted], model.family, model.patcher.model.diffusion_model)
            model_calls(model, run.before_step(model.x, model.sigma, {}, 0))
            run.finish()

        return recorded
    gradient = gradient_step(model, mode)

    def steered() -> None:
        gradient()
        model_calls(model, {})

    return steered


def too_much(model: LoadedModel) -> str:
    """Why the full graph is left out; "" where it fits into half of the free memory."""
    shapes = ShapesOnly(full_paper(model.counted.target))
    gradient_step(model, Mode(full_paper), shapes)()
    cells = sum(call.queries.shape[:3].numel() * call.keys.shape[2] for call in shapes.calls)
    finest = max(call.grid[0] * call.grid[1] for call in shapes.calls)
    need = cells * 4 * 3 + len(shapes.calls) * finest**2 * 4
    free = comfy.model_management.get_free_memory(model.x.device)
    return "" if need < free / 2 else f"would need about {need / 1e9:.0f} GB"


@dataclass(frozen=True)
class Row:
    """One mode's figures; memory in bytes beyond the weights.

    Attributes:
        ratio: the mean step of a run to a plain one, once the run is under way.
        first: the first step of a run to a plain one: it also learns what the objective reads.
    """

    mode: str
    seconds: float
    ratio: float
    first: float
    peak: int
    clustering: float | None = None


def measured(model: LoadedModel, modes: dict[str, Mode], rounds: int) -> list[Row]:
    """Time and memory of a plain step and of every mode's."""
    device = model.x.device
    plain: Step = lambda: model_calls(model, {})  # noqa: E731
    steps = {"plain": plain, **{name: step_of(model, mode) for name, mode in modes.items()}}
    wait = wait_for(device)
    plain()  # what the model itself does once is no mode's
    first = {name: seconds_of(step, wait) for name, step in steps.items()}
    found = times(steps, rounds, wait)
    rows = []
    for name, step in steps.items():
        mode = modes.get(name, Mode(None))
        ratio = 1 + mode.share * (found[name] / found["plain"] - 1)
        clustering = None
        if mode.objective in (paper, full_paper):
            with seconds_in(CLUSTERING, wait) as spent:
                step()
            clustering = sum(spent["clustering"]) / found["plain"]
        peak = peak_bytes(step, model.patcher.model.diffusion_model)
        rows.append(Row(name, found["plain"] * ratio, ratio, first[name] / found["plain"], peak, clustering))
    return rows
