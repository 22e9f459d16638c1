"""What all runs of candidates need: how many share a batch, how a run is ended early, and how far the search is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, TypeVar

import comfy.model_management
from comfy.patcher_extension import WrappersMP
from torch import Tensor

from ..comfyui.progress import SamplingProgress

KEY = "headcount_seed_search"
_CONDITIONINGS = 2  # of a model call: positive and negative
_MEMORY_MARGIN = 1.5  # ComfyUI's own, when it decides how many conditionings share a batch

Result = TypeVar("Result")


def how_many_fit(model: Any, latent_shape: Sequence[int], free: float) -> int:
    """How many candidates a batch may have, at least 1.

    Each counts as two images, one for the positive and one for the negative conditioning, with ComfyUI's margin. One would
    do, since ComfyUI asks about the conditionings one after the other where both do not fit. But before a run it makes room
    for both (comfy.sampler_helpers.estimate_memory) and would push the VAE and the counter out of memory, and attention
    that is scored takes memory for each candidate of a batch, which no estimate of ComfyUI's knows of.

    Args:
        model: ComfyUI's BaseModel.
        latent_shape: (B, C, ...) of candidates; B does not matter.
        free: bytes of memory that the model leaves.
    """
    need = _CONDITIONINGS * _MEMORY_MARGIN * model.memory_required([1, *latent_shape[1:]])
    return max(1, int(free // max(need, 1)))


class Batches:
    """Takes candidates in batches, which shrink where memory runs out.

    A batch that did not fit is tried again with half as many, rounded up. So are all that follow: what does not fit at one
    step does not fit at the next.
    """

    def __init__(self, at_most: int) -> None:
        self._at_most = at_most

    def run(
        self, indices: Iterable[int], fit: int, work: Callable[[list[int]], Result]
    ) -> Iterator[tuple[list[int], Result]]:
        """Each batch of `indices` with what `work` gives for it; `fit` is the most that one may have now.

        Raises:
            OutOfMemoryError: a single candidate does not fit.
        """
        left = list(indices)
        while left:
            batch = left[: min(self._at_most, fit)]
            try:
                result = work(batch)
            except comfy.model_management.OOM_EXCEPTION:
                if len(batch) == 1:
                    raise
            else:
                yield batch, result
                left = left[len(batch) :]
                continue
            self._at_most = (len(batch) + 1) // 2
            comfy.model_management.soft_empty_cache()  # not before the error is gone, which holds the batch's tensors


class EndSampling(Exception):
    """Ends a run that has gone far enough; raise it anywhere within a run of a model that `may_end_early`."""


def may_end_early(model: Any) -> None:
    """Let `EndSampling` end runs of `model`, a clone: they give back their noise, which nobody reads.

    This is done around all other wrappers, so that none of them takes such a run for a finished one.
    """

    def until_ended(
        executor: Any, guider: Any, sigmas: Any, extra_args: Any, callback: Any, noise: Tensor, *rest: Any
    ) -> Any:
        try:
            return executor(guider, sigmas, extra_args, callback, noise, *rest)
        except EndSampling:
            return noise

    put_outermost(model, WrappersMP.SAMPLER_SAMPLE, KEY, until_ended)


def put_outermost(model: Any, kind: str, key: str, wrapper: Callable[..., Any]) -> None:
    """Put a wrapper on `model`, a clone, around all that are there."""
    options = model.model_options["transformer_options"]
    wrappers = dict(options.get("wrappers", {}))
    wrappers[kind] = {key: [wrapper], **{other: ones for other, ones in wrappers.get(kind, {}).items() if other != key}}
    model.model_options = {**model.model_options, "transformer_options": {**options, "wrappers": wrappers}}


class Progress:
    """Counts the steps of all candidates.

    Args:
        total: how many steps there are at most.
        tell: told of each; None where nobody listens.
    """

    def __init__(self, total: int, tell: SamplingProgress | None) -> None:
        self._done, self._total, self._tell = 0, total, tell
        self._latest: Tensor | None = None

    def add(self, steps: int, denoised: Tensor) -> None:
        """Candidates took so many steps together; `denoised` is (1, ...) a predicted clean latent of one of them."""
        self._done, self._latest = min(self._done + steps, self._total), denoised
        if self._tell is not None:
            self._tell(self._done, self._total, denoised)

    def end(self) -> None:
        """No more steps are needed."""
        if self._latest is not None:
            self.add(self._total, self._latest)
