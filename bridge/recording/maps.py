"""MAPS: a handle that a run fills while the graph already holds it."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from threading import Lock

import torch
from torch import Tensor

from ...core.attention import RunRecord
from ...core.errors import CountError
from ..comfyui.streams import video_of

NOTHING_COUNTED = (
    "The prompt of this run counts nothing, so nothing was steered or recorded. Write a number, such as 'three cats', or fill "
    "in objects of Count Prompt."
)
NOT_NUMBERS = "the latent has values that are not numbers (a black image); the sampler failed"
_RUNS_KEPT = 4  # a workflow may sample twice or three times with one model and look at each run
_TOLERANCE = 2e-2  # latents may pass through half precision between sampler and viewer


@dataclass(frozen=True)
class EmptyRun:
    """A run that left no maps: a patched model outlives its runs, and older maps are not this one's.

    Attributes:
        samples: the latent that the sampler returned, fp16.
        size: (H, W) of the decoded picture or video, in pixels.
        why: there are no maps, as a text for the user.
    """

    samples: Tensor
    size: tuple[int, int]
    why: str


class MapsHandle:
    """What the newest few runs of one patched model left. Safe to use from several threads."""

    def __init__(self) -> None:
        self._records: deque[RunRecord | EmptyRun] = deque(maxlen=_RUNS_KEPT)
        self._lock = Lock()

    def add(self, record: RunRecord | EmptyRun) -> None:
        """Keep what a finished run left."""
        with self._lock:
            self._records.append(record)

    def record_for(self, samples: Tensor) -> tuple[RunRecord | EmptyRun, bool]:
        """What the run left that made `samples`, or else the newest run.

        Returns:
            The run's record, and whether it belongs to `samples`.

        Raises:
            CountError: there was no run, or `samples` are not numbers.
        """
        samples = video_of(samples)
        if not bool(samples.isfinite().all()):
            raise CountError(NOT_NUMBERS)
        with self._lock:
            records = list(self._records)
        if not records:
            raise CountError(
                "no attention was recorded. Connect the MODEL output of the node that gives these maps to the sampler "
                "whose LATENT goes into this node, and check that the prompt counts something and that the sampler has steps "
                "to take (a denoise of 0 leaves none); then queue again"
            )
        for record in reversed(records):
            if _same(record.samples, samples):
                return record, True
        return records[-1], False


def _same(kept: Tensor, given: Tensor) -> bool:
    if kept.shape != given.shape:
        return False
    given = given.detach().float().cpu()
    return bool(
        torch.allclose(kept.float(), given, rtol=_TOLERANCE, atol=_TOLERANCE * float(given.abs().mean() + 1e-6))
    )
