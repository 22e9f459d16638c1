"""ISAC Attention Control as a patch of a ComfyUI model."""

from __future__ import annotations

import math
import sys
from collections import defaultdict
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

import comfy.model_management
import comfy.model_sampling
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...core.attention import Clustering, Heads, RunRecorder
from ...core.errors import CountError
from ...core.isac import (
    AnchoredObjective,
    LossWeights,
    Objective,
    PaperObjective,
    PromptTarget,
    StepMode,
    instance_to_class,
    latent_step,
)
from ...core.prompts import Counts
from ..comfyui.node_names import COUNT_CONTROL
from ..comfyui.run_notes import RunNotes
from ..counters.layout import run_layout
from ..families.family import Family
from ..gradients.attention_gradient import AttentionGradient, GradientPass, LearntCalls
from ..gradients.memory import MemorySetting
from ..prompts.conditionings import CountedConditioning, counted_conditionings, warn_of_counts
from ..recording.head_scout import HeadScout, KnownHeads
from ..recording.maps import MapsHandle
from ..recording.recorder import RecordedRun
from ..sampling.noise_share import noise_share
from ..sampling.steered_sampler import STEERED_KEY
from .patched_model import with_runs

NODE = COUNT_CONTROL
_SECOND = f"another {NODE} is in front of this one on the same model. Both steer this image"


ObjectiveName = Literal["anchored", "paper"]
Mode = Literal["exact", "fast", "fast by noise"]
MODES: tuple[Mode, ...] = get_args(Mode)
CLUSTERINGS: tuple[Clustering, ...] = get_args(Clustering)
MEMORY_SETTINGS: tuple[MemorySetting, ...] = get_args(MemorySetting)

WAIT_SHARE, FAST_SHARE = 0.1, 0.4
"""Of a run, what "fast" lets pass before it steers, and where it stops: it steers while the layout forms. Before that, maps
show hardly more than noise. Where every layer takes part in the objective and a gradient costs as much as 1.24 plain steps
(SD 3.5), this is 1.4 times plain sampling.

Both were chosen without a sweep. docs/measurements.md has what "fast" does with them (*isac_fast*, emoji model), and that an
end of 0.5 or up to twice the gradient steps cannot be told from it on 150 prompts; its Shapes table has WAIT_SHARE 0.
"""


def fast_steps(steps: int) -> range:
    """Steps of a run that "fast" steers; below ten steps it starts with the first."""
    return range(int(WAIT_SHARE * steps), math.ceil(FAST_SHARE * steps))


@dataclass(frozen=True)
class IsacSettings:
    """Settings of ISAC Attention Control; `presets` has the choices of an artist.

    Attributes:
        objective: "anchored", see `core.isac.anchored`, or "paper", see `core.isac.objective`.
        step_mode: how `step_size` is meant, see `latent_step`.
        step_size: eta for "paper" (0.01 there), a share of the latent's length for "relative".
        start_percent, end_percent: the part of the sampling that is steered, 0 to 1.
        spacing: "anchored" only: least distance between two instances, as a share of the picture's shorter side; None for
            one that the maps say.
        mode: "fast" steers `fast_steps` of a run, "fast by noise" between the noise levels of the same shares, which no
            scheduler and no few-step schedule changes; `start_percent` and `end_percent` may narrow both.
        bind: keep attributes ("red") with their noun (ISAC v4); for "anchored" it changes nothing
            unless two nouns have attributes, for "paper" unless one has.
        clustering: "paper" only: how the foreground is cut into instances (ISAC, Table 4).
        memory: whether parts of the model are computed twice to save memory, see `GradientMemory`.
    """

    objective: ObjectiveName = "anchored"
    step_mode: StepMode = "relative"
    step_size: float = 0.08
    start_percent: float = 0.0
    end_percent: float = 1.0
    spacing: float | None = None
    mode: Mode = "exact"
    bind: bool = True
    clustering: Clustering = "kmeans"
    memory: MemorySetting = "auto"

    @property
    def does_nothing(self) -> bool:
        """True when no step would be taken."""
        return self.step_size == 0 or self.end_percent <= self.start_percent

    def paper_objective(self, target: PromptTarget, weights: LossWeights) -> Objective:
        """What "paper" minimises in a step, with the weights that the published schedule has there."""
        return PaperObjective(target, weights, self.clustering, self.bind)


@dataclass(frozen=True)
class _SharedByRuns:
    """What all runs of one patched model have in common.

    Attributes:
        layout: boxes of an artist's own, or None.
        learnt: the attention calls that a conditioning's gradient reads, by the conditioning's number and the heads.
        heads: those that localise nouns.
    """

    settings: IsacSettings
    counts: Counts | None
    layout: Any
    notes: RunNotes
    learnt: Mapping[Hashable, LearntCalls]
    heads: KnownHeads


def with_isac(
    model: Any,
    settings: IsacSettings,
    counts: Counts | None = None,
    layout: Any = None,
) -> tuple[Any, MapsHandle]:
    """A clone of `model` that is steered while it samples, and the handle that each run fills.

    What is counted is read from the positive conditioning when sampling starts, so one patched model serves several
    prompts. `model` itself is not changed.

    Args:
        layout: "anchored" only: boxes of an artist's own, see `run_layout`; None where the maps say the places.

    Raises:
        CountError: the model is of a family whose attention cannot be read, or the objective takes no layout.
    """
    if layout is not None and settings.objective != "anchored":
        raise CountError(
            f"{NODE} has a layout, which objective '{settings.objective}' does not use: choose another preset than paper, "
            "or disconnect the layout"
        )
    notes = RunNotes(NODE)
    shared = _SharedByRuns(settings, counts, layout, notes, learnt=defaultdict(dict), heads={})

    def start_run(guider: Any, sigmas: Tensor, family: Family) -> _IsacRun:
        if is_second:
            notes.warn(_SECOND)
        return _IsacRun(guider, sigmas, family, shared)

    patched, handle = with_runs(model, STEERED_KEY, notes, start_run, settings.memory)
    is_second = len(patched.get_wrappers(WrappersMP.SAMPLER_SAMPLE, STEERED_KEY)) > 1
    return patched, handle


@dataclass
class _Steering:
    """One counted conditioning of a run.

    Attributes:
        place: its number among them.
    """

    model: Any
    family: Family
    counted: CountedConditioning
    shared: _SharedByRuns
    scout: HeadScout
    place: int
    _passes: dict[Hashable, GradientPass] = field(default_factory=dict)

    def gradient_pass(self, heads: Heads) -> GradientPass:
        """The run's pass that reads these heads; what earlier runs have learnt of the model is of the same ones."""
        read = tuple(heads.items())
        if read not in self._passes:
            settings, learnt = self.shared.settings, self.shared.learnt[self.place, read]
            conditioning, notes = self.counted.conditioning, self.shared.notes
            self._passes[read] = GradientPass(self.model, self.family, conditioning, settings.memory, notes, learnt)
        return self._passes[read]


class _IsacRun:
    """State of one sampling run; dropped with it."""

    def __init__(self, guider: Any, sigmas: Tensor, family: Family, shared: _SharedByRuns) -> None:
        settings, notes = shared.settings, shared.notes
        self._settings, self._layout, self._notes = settings, shared.layout, notes
        self._model = guider.inner_model
        self._taken = self._steered = self._first_seen = 0
        self._steps = max(len(sigmas) - 1, 1)
        self._steered_steps = fast_steps(self._steps) if settings.mode == "fast" else range(sys.maxsize)
        sampling = self._model.model_sampling
        self._part = settings.start_percent, settings.end_percent
        if settings.mode == "fast by noise":
            self._part = max(self._part[0], WAIT_SHARE), min(self._part[1], FAST_SHARE)
        self._first, self._last = (float(sampling.percent_to_sigma(percent)) for percent in self._part)
        self._noise = noise_share(sampling, sigmas[0]), noise_share(sampling, sigmas[-1])
        self._is_flow = isinstance(sampling, comfy.model_sampling.CONST)
        counted = counted_conditionings(guider.conds.get("positive", []), NODE, family, shared.counts)
        warn_of_counts(counted, notes)
        scouts = [HeadScout(self._model, family, one, shared.heads) for one in counted]
        self._steering = [
            _Steering(self._model, family, one, shared, scouts[place], place)
            for place, one in enumerate(counted)
            if self._can_steer(one)
        ]
        if counted and not self._steering:
            notes.warn("the prompt asks for one object, so nothing is steered: a layout can say where it is to be")
        self._record = RecordedRun(counted, family, self._model.diffusion_model, notes, scouts[0] if scouts else None)

    def before_step(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], step: int) -> dict[str, Any]:
        comfy.model_management.throw_exception_if_processing_interrupted()
        self._record.close()  # its sums would lie beside the graph
        level = float(sigma[0])
        self._first_seen = self._first_seen if self._taken else step  # later where a run goes on from kept steps
        self._taken += 1
        if self._last < level <= self._first and step in self._steered_steps:
            self._steered += 1
            for index, one in enumerate(self._steering):
                heads = one.scout(x, model_options) if self._settings.objective == "anchored" else {}
                objective = self._objective(one.counted, x, step, heads)
                step_gradient = one.gradient_pass(heads)(x, sigma, model_options, objective)
                if step_gradient is not None:
                    x.add_(self._step(step_gradient, x, level).to(x))
                    if index == 0:
                        self._record.add_losses(step_gradient.losses)
        return self._record.before_step(x, sigma, model_options, step)

    def _step(self, found: AttentionGradient, x: Tensor, level: float) -> Tensor:
        variance = 1.0 if self._is_flow else 1 + level**2
        settings = self._settings
        return latent_step(found.gradient, x, settings.step_mode, settings.step_size, variance, found.losses.urgency)

    def _can_steer(self, counted: CountedConditioning) -> bool:
        """Whether the objective could ever want something else: a single object is right wherever it is."""
        return counted.target.instances > 1 or self._settings.objective == "paper" or self._layout is not None

    def _objective(self, counted: CountedConditioning, x: Tensor, step: int, heads: Heads) -> Objective:
        settings = self._settings
        if settings.objective == "anchored":
            boxes = self._layout
            layouts = () if boxes is None else run_layout(boxes, counted.counts.objects, self._model, tuple(x.shape))
            return AnchoredObjective(counted.target, settings.spacing, settings.bind, layouts, heads)
        weights = instance_to_class(step, self._steps, *self._noise)
        return settings.paper_objective(counted.target, weights)

    def finish(self) -> RunRecorder | None:
        """What the run recorded; a run of which no step was to be steered says so."""
        if self._steering and self._taken and not self._steered and not self._first_seen:
            mode = self._settings.mode
            self._notes.warn(
                f"none of the {self._taken} steps of this run lies between start_percent {self._part[0]:g} and end_percent "
                f"{self._part[1]:g}, so nothing was steered. A denoise below 1 begins late"
                + ("" if mode == "exact" else f"; mode {mode} takes a part of the steps, exact takes all")
            )
        return self._record.finish()

    @property
    def why_nothing(self) -> str:
        """What the nodes behind the maps say where the run leaves none."""
        return self._record.why_nothing
