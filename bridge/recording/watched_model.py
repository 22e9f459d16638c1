"""A model whose sampling runs are watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ...core.attention import RunRecord, RunRecorder
from ..comfyui.run_notes import RunNotes
from ..comfyui.streams import stream_shapes, video_in
from ..sampling.own_size import warn_of_size
from ..sampling.steered_sampler import REPEATED_KEY, BeforeStep, run_sampler, sampler_function
from ..sampling.whole_image import refuse_no_pictures
from .maps import NOT_NUMBERS, EmptyRun, MapsHandle

_REPEATED = "recorded nothing in this run: every step repeats one of an earlier run, so the model was not asked again"


def keep_run(
    handle: MapsHandle,
    model: Any,
    samples: Tensor,
    finish: Callable[[Tensor], RunRecord | None],
    why_nothing: str,
    notes: RunNotes,
) -> None:
    """Put what a run recorded into the handle, or why there is nothing.

    Args:
        model: ComfyUI's model that sampled.
        samples: the state that its sampler ended with, without sound.
        finish: makes the record, of the LATENT that the sampler's node gives.
        why_nothing: what the nodes behind the handle say where there is no record.
    """
    given, pixels = model.process_latent_out(samples.to(torch.float32)), model.latent_format.spacial_downscale_ratio
    if not bool(given.isfinite().all()) and NOT_NUMBERS not in why_nothing:  # else it is said
        notes.warn(NOT_NUMBERS)
    record = finish(given)
    if record is not None:
        handle.add(replace(record, cell_pixels=pixels))
        return
    height, width = given.shape[-2:]
    handle.add(EmptyRun(given.detach().half().cpu(), (height * pixels, width * pixels), why_nothing))


class Run(Protocol):
    """One sampling run of a node; made when sampling starts and dropped with it."""

    @property
    def before_step(self) -> BeforeStep:
        """See `steered_sampler`."""

    @property
    def why_nothing(self) -> str:
        """What the nodes behind the maps say where the run leaves none; known once it is finished."""

    def finish(self) -> RunRecorder | None:
        """What was recorded, or None where the prompt counts nothing. Not called where an earlier run had every step."""


def with_watched_runs(
    model: Any, key: str, notes: RunNotes, start_run: Callable[[Any, Tensor], Run]
) -> tuple[Any, MapsHandle]:
    """A clone of `model` whose runs go through `start_run(guider, sigmas)`, and the handle that each run fills.

    Args:
        key: name of the wrapper on the model.
        notes: of the node that errors speak of.
    """
    handle = MapsHandle()
    patched = model.clone()

    def sample(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        with notes.run():
            refuse_no_pictures(rest[0], notes.node)
            warn_of_size(guider.inner_model, rest[0], sigmas, notes)
            sampler_function(executor.class_obj, notes.node)
            run = start_run(guider, sigmas)
            samples = run_sampler(
                executor, guider, sigmas, extra_args, callback, *rest, before_step=run.before_step, node=notes.node
            )
            is_repeated = extra_args.get(REPEATED_KEY, False)
            recorder = None if is_repeated else run.finish()
            record_of = _no_record if recorder is None else recorder.finish
            why_nothing = f"{notes.node} {_REPEATED}" if is_repeated else run.why_nothing
            video = video_in(samples, stream_shapes(guider.conds))
            keep_run(handle, guider.inner_model, video, record_of, why_nothing, notes)
        return samples

    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, key, sample)
    notes.watch(patched, key)
    return patched, handle


def _no_record(samples: Tensor) -> None:
    return None
