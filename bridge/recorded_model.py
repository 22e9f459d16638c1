"""A model whose sampling runs are watched."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any, Protocol

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..core.attention.records import RunRecord, RunRecorder
from .maps import MapsHandle, UncountedRun
from .steered_sampler import AtState, run_sampler, sampler_function

def keep_record(handle: MapsHandle, model: Any, samples: Tensor, finish: Callable[[Tensor], RunRecord | None]) -> None:
    """Put what a run recorded into the handle; nothing where it recorded nothing.

    Args:
        model: ComfyUI's model that sampled.
        samples: the state that its sampler ended with.
        finish: makes the record, of the LATENT that the sampler's node gives.
    """
    record = finish(_given(model, samples))
    if record is not None:
        handle.add(replace(record, cell_pixels=model.latent_format.spacial_downscale_ratio))


def keep_uncounted(handle: MapsHandle, model: Any, samples: Tensor) -> None:
    """Put into the handle that a run counted nothing; see `keep_record`."""
    pixels = model.latent_format.spacial_downscale_ratio
    height, width = samples.shape[-2:]
    handle.add(UncountedRun(_given(model, samples).detach().half().cpu(), (height * pixels, width * pixels)))


def _given(model: Any, samples: Tensor) -> Tensor:
    """The LATENT that the sampler's node gives."""
    return model.process_latent_out(samples.to(torch.float32))


class Run(Protocol):
    """One sampling run of a node; made when sampling starts and dropped with it."""

    at_state: AtState

    def finish(self) -> RunRecorder | None:
        """What was recorded, or None where the prompt counts nothing."""


def with_watched_runs(
    model: Any, key: str, node: str, start_run: Callable[[Any, Tensor], Run]
) -> tuple[Any, MapsHandle]:
    """A clone of `model` whose runs go through `start_run(guider, sigmas)`, and the handle that each run fills.

    Args:
        key: name of the wrapper on the model.
        node: name of the node that errors speak of.
    """
    handle = MapsHandle()
    patched = model.clone()

    def sample(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        sampler_function(executor.class_obj, node)
        run = start_run(guider, sigmas)
        samples = run_sampler(executor, guider, sigmas, extra_args, callback, *rest, at_state=run.at_state, node=node)
        recorder = run.finish()
        if recorder is None:
            keep_uncounted(handle, guider.inner_model, samples)
        else:
            keep_record(handle, guider.inner_model, samples, recorder.finish)
        return samples

    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, key, sample)
    return patched, handle
