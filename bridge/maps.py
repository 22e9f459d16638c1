"""MAPS: a handle that a run fills while the graph already holds it."""

from __future__ import annotations

from collections import deque
from threading import Lock

import torch
from torch import Tensor

from ..core.attention.records import RunRecord
from ..core.errors import CountError

_RUNS_KEPT = 4
_TOLERANCE = 2e-2  # latents may pass through half precision between sampler and viewer


class MapsHandle:
    """Finished records of the runs of one patched model, the newest few of them. Safe to use from several threads."""

    def __init__(self) -> None:
        self._records: deque[RunRecord] = deque(maxlen=_RUNS_KEPT)
        self._lock = Lock()

    def add(self, record: RunRecord) -> None:
        """Keep a finished record."""
        with self._lock:
            self._records.append(record)

    def record_for(self, samples: Tensor) -> tuple[RunRecord, bool]:
        """The record of the run that made `samples`, or else the newest one.

        Returns:
            The record, and whether it belongs to `samples`.

        Raises:
            CountError: nothing has been recorded.
        """
        with self._lock:
            records = list(self._records)
        if not records:
            raise CountError(
                "no attention was recorded. Connect the MODEL output of the node that gives these maps to the sampler "
                "whose LATENT goes into this node, and check that the prompt counts something; then queue again"
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
