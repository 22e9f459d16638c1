"""A model whose sampling runs are followed, and the maps that they leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import torch
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..core.attention.records import RunRecorder
from .families.family import Family
from .families.table import family_of
from .gradient_memory import MemorySetting, reserving
from .maps import MapsHandle
from .steered_sampler import AtState, run_sampler, sampler_function


class Run(Protocol):
    """One sampling run of a node; made when sampling starts and dropped with it."""

    at_state: AtState

    def finish(self) -> RunRecorder | None:
        """What was recorded, or None where the prompt counts nothing."""


def with_runs(
    model: Any,
    key: str,
    node: str,
    start_run: Callable[[Any, Tensor, Family], Run],
    gradient_memory: MemorySetting | None = None,
) -> tuple[Any, MapsHandle]:
    """A clone of `model` whose runs go through `start_run(guider, sigmas, family)`, and the handle that each run fills.

    Args:
        key: name of the wrapper on the model.
        node: name of the node that errors speak of.
        gradient_memory: how much memory its gradients may take, for which ComfyUI makes room; None for no gradients.

    Raises:
        CountError: the model is of a family whose attention cannot be read.
    """
    family = family_of(model, node)
    handle = MapsHandle()
    patched = model.clone()

    def sample(executor, guider, sigmas, extra_args, callback, *rest):  # noqa: ANN001, ANN202 - ComfyUI's signature
        sampler_function(executor.class_obj, node)
        run = start_run(guider, sigmas, family)
        samples = run_sampler(executor, guider, sigmas, extra_args, callback, *rest, at_state=run.at_state, node=node)
        recorder = run.finish()
        record = recorder and recorder.finish(guider.inner_model.process_latent_out(samples.to(torch.float32)))
        if record is not None:
            handle.add(record)
        return samples

    patched.add_wrapper_with_key(WrappersMP.SAMPLER_SAMPLE, key, sample)
    if gradient_memory is not None:
        prepare = reserving(gradient_memory, bool(family.blocks))
        patched.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, key, prepare)
    return patched, handle
