"""A model whose sampling runs are followed, and the maps that they leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from comfy.patcher_extension import WrappersMP
from torch import Tensor

from .families.family import Family
from .families.table import family_of
from .gradient_memory import MemorySetting, reserving
from .maps import MapsHandle
from .recorded_model import Run, with_watched_runs
from .run_notes import RunNotes


def with_runs(
    model: Any,
    key: str,
    notes: RunNotes,
    start_run: Callable[[Any, Tensor, Family], Run],
    gradient_memory: MemorySetting | None = None,
) -> tuple[Any, MapsHandle]:
    """A clone of `model` whose runs go through `start_run(guider, sigmas, family)`, and the handle that each run fills.

    Args:
        key: name of the wrapper on the model.
        notes: of the node that errors speak of.
        gradient_memory: how much memory its gradients may take, for which ComfyUI makes room; None for no gradients.

    Raises:
        CountError: the model is of a family whose attention cannot be read.
    """
    family = family_of(model, notes.node)
    patched, handle = with_watched_runs(model, key, notes, lambda guider, sigmas: start_run(guider, sigmas, family))
    if gradient_memory is not None:
        prepare = reserving(gradient_memory, bool(family.blocks))
        patched.add_wrapper_with_key(WrappersMP.PREPARE_SAMPLING, key, prepare)
    return patched, handle
