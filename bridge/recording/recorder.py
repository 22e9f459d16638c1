"""Attention Map Recorder: keeps what the sampler's own model calls attend to, and changes nothing."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...core.attention import (
    MAX_SELF_PIXELS,
    CallList,
    CallSums,
    Heads,
    LayerPlan,
    LayerRequest,
    RunRecorder,
    VideoSums,
    layers_read,
)
from ...core.isac import StepLosses
from ...core.prompts import Counts, context_words
from ..attention.capture import Capture
from ..attention.hook import hooked_options
from ..comfyui.run_notes import RunNotes
from ..families.family import Family, Reader
from ..families.table import RECORDED_FAMILIES, VIDEO_FAMILIES, family_of
from ..families.video import VideoReader
from ..prompts.conditionings import CountedConditioning, counted_conditionings, warn_of_nothing
from .head_scout import HeadScout, KnownHeads
from .maps import NOTHING_COUNTED, MapsHandle
from .watched_model import with_watched_runs

NODE = "Attention Map Recorder"
_KEY = "headcount_recorder"


def new_recorder(counted: list[CountedConditioning]) -> RunRecorder | None:
    """A recorder for the first counted conditioning, or None when nothing is counted."""
    if not counted:
        return None
    counts, target, layout = counted[0].counts, counted[0].target, counted[0].text_layout
    # With its attributes, since a prompt may ask for "a red cat and a blue cat".
    nouns = tuple(" ".join((*item.attributes, item.noun)) for item in counts.objects)
    words = tuple((word.word, word.positions) for word in context_words(counts, layout))
    return RunRecorder(nouns, target.tokens, target.counts, words)


def with_recorder(
    model: Any,
    counts: Counts | None = None,
    node: str = NODE,
    families: Sequence[Family] = RECORDED_FAMILIES,
) -> tuple[Any, MapsHandle]:
    """A clone of `model` whose runs are recorded, and the handle that each run fills. The pictures stay the same.

    Args:
        node: name of the node that errors speak of.
        families: those that the node works with.

    Raises:
        CountError: the model is of a family whose attention cannot be read.
    """
    family, notes = family_of(model, node, families), RunNotes(node)
    known: KnownHeads = {}

    def start_run(guider: Any, _: Tensor) -> RecordedRun:
        counted = counted_conditionings(guider.conds.get("positive", []), node, family, counts)
        warn_of_nothing(counted, notes, "recorded" if node == NODE else "steered")
        is_scouted = counted and family not in VIDEO_FAMILIES
        scout = HeadScout(guider.inner_model, family, counted[0], known) if is_scouted else None
        return RecordedRun(counted, family, guider.inner_model.diffusion_model, notes, scout)

    return with_watched_runs(model, _KEY, notes, start_run)


@dataclass(frozen=True)
class _OpenStep:
    """A model call that is being recorded."""

    capture: Capture
    sums: CallSums | VideoSums
    step: int
    sigma: float
    losses: StepLosses | None


def _middle(model_options: dict[str, Any]) -> int:
    """The step in the middle of the run: by then things have their places, and heads their tasks."""
    sigmas = model_options.get("transformer_options", {}).get("sample_sigmas")
    return 0 if sigmas is None else (len(sigmas) - 1) // 2


class RecordedRun:
    """State of one recorded run; dropped with it.

    Args:
        diffusion: ComfyUI's diffusion model.
        scout: finds the heads that localise what the first of `counted` counts; None where all are read.
    """

    def __init__(
        self,
        counted: list[CountedConditioning],
        family: Family,
        diffusion: Any,
        notes: RunNotes | None = None,
        scout: HeadScout | None = None,
    ) -> None:
        self._family, self._diffusion, self._scout = family, diffusion, scout
        self._notes = notes or RunNotes(NODE)
        self.why_nothing = NOTHING_COUNTED
        self._states = 0
        self._recorded = False
        self._seen = self._unknown = 0
        self._counted = counted
        self._recorder = new_recorder(counted)
        self._tokens: tuple[int, ...] = ()
        if self._recorder is not None and family in VIDEO_FAMILIES:
            self._tokens, self._recorder = self._recorder.compact()
        self._open: _OpenStep | None = None
        self._plan: LayerPlan | None = None
        self._losses: StepLosses | None = None

    def _sums(self, reader: Reader, request: LayerRequest, heads: Heads) -> CallSums | VideoSums:
        if isinstance(reader, VideoReader):
            return VideoSums(self._tokens, request, layers_read(reader.layers(self._diffusion)))
        return CallSums(request, CallList(MAX_SELF_PIXELS, reader.one_grid), heads)

    def add_losses(self, losses: StepLosses) -> None:
        """Losses of the step whose state comes next."""
        self._losses = losses

    def before_step(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any], step: int) -> dict[str, Any]:
        self.close()
        self._states += 1
        if self._recorder is None:
            return model_options
        looks_at_layers = step == _middle(model_options)
        length = self._counted[0].text_layout.length
        request = LayerRequest(self._recorder.kept_words, length, step if looks_at_layers else None, self._plan)
        reader = self._family.reader((x.shape[-2], x.shape[-1]))
        heads = self._scout(x, model_options) if self._scout else {}
        sums = self._sums(reader, request, heads)
        capture = Capture(reader, self._counted[0].conditioning.get("uuid"), sums)
        self._open = _OpenStep(capture, sums, step, float(sigma[0]), self._losses)
        self._losses = None
        return hooked_options(model_options, capture)

    def close(self) -> None:
        """Take in the call that was opened at the last state, and let go of it."""
        if self._open is None or self._recorder is None:
            return
        done, self._open = self._open, None
        self._seen += done.capture.seen
        self._unknown += done.capture.unknown
        if done.sums.is_complete:
            maps = done.sums.maps()
            self._plan, self._recorded = done.sums.plan, True
            losses = (None, None) if done.losses is None else (done.losses.instance, done.losses.semantic)
            self._recorder.add(done.step, done.sigma, maps, *losses)

    def finish(self) -> RunRecorder | None:
        """What the run recorded; a run that left nothing says so."""
        self.close()
        if self._recorder is not None and not self._recorded:
            left = f"recorded nothing in this run: {self._reason()}"
            self._notes.warn(left)
            self.why_nothing = f"{self._notes.node} {left}"
        return self._recorder

    def _reason(self) -> str:
        if not self._states:
            return "the sampler took no step. Raise its steps or its denoise"
        if not self._seen:
            return (
                "the model showed no attention call. A compiled model or a node that replaces the attention hides them: "
                "remove torch.compile and attention nodes from this model"
            )
        if self._unknown == self._seen:
            return (
                f"ComfyUI or another node calls the attention ({self._seen} times) in a form that this version of the pack "
                "does not know: update the pack, or remove attention nodes from this model"
            )
        return (
            f"too few of its {self._seen} attention calls could be read for the counted prompt. Either the prompt was not "
            "active at any step, or another node changes the model's tokens"
        )
