"""What parts of a step take: K-means in the paper's objective, and scoring in Latent Selection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any
from unittest.mock import patch

import comfy.samplers
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options
from headcount.core.attention import MOST_SELF_PIXELS, AttentionCall, CallList, foreground
from headcount.core.isac import SCORES, score_calls

from ..cost_measures import Step, times
from ..cost_models import CostModel
from ..isac_cost import Mode, model_calls, step_of
from .part import Finding

TIME = "time against a plain step"
_PAPERS_KMEANS = 0.505  # seconds a call (ISAC, Table 4)


def clustering(model: CostModel, modes: dict[str, Mode], wait: Callable[[], None]) -> list[Finding]:
    """The share of finding instances in a plain step, in modes that do."""
    findings = []
    plain = times({"plain": lambda: model_calls(model, {})}, 3, wait)["plain"]
    for label, mode in modes.items():
        with timed_clustering(wait) as spent:
            step_of(model, mode)()
        if spent:
            figures = {TIME: sum(spent) / plain, "ms": sum(spent) * 1e3}
            wanted = f"under {_PAPERS_KMEANS * 1e3:.0f} ms, the paper's"
            findings.append(Finding(f"{label}: K-means in it", figures, wanted, max(spent) < _PAPERS_KMEANS))
    return findings


@contextmanager
def timed_clustering(wait: Callable[[], None]) -> Iterator[list[float]]:
    """Within the block: the seconds of each clustering; the device is waited for before and after."""
    spent: list[float] = []
    own = foreground.cluster

    def timed(*args: Any, **kwargs: Any) -> Any:
        wait()
        start = time.perf_counter()
        result = own(*args, **kwargs)
        wait()
        spent.append(time.perf_counter() - start)
        return result

    with patch.object(foreground, "cluster", timed):
        yield spent


def selection(model: CostModel, rounds: int, wait: Callable[[], None]) -> list[Finding]:
    """What scoring a candidate adds to its step: calls recorded, and the score on its own."""
    calls = _recorded(model)
    target = model.counted.target
    steps: dict[str, Step] = {"plain": lambda: model_calls(model, {}), "recorded": lambda: _recorded(model)}
    for score in SCORES:
        steps[score] = partial(score_calls, calls, target, score)
    found = times(steps, rounds, wait)
    seconds = {score: found["recorded"] - found["plain"] + found[score] for score in SCORES}
    return [
        Finding(
            f"latent selection, a step scored by {score}",
            {TIME: 1 + seconds[score] / found["plain"], "ms": found[score] * 1e3},
        )
        for score in SCORES
    ]


def _recorded(model: CostModel) -> list[AttentionCall]:
    """A plain step, and its positive conditioning's attention calls as Latent Selection keeps them."""
    reader = model.family.reader((model.x.shape[-2], model.x.shape[-1]))
    calls = CallList(MOST_SELF_PIXELS, reader.one_grid)
    conditionings = [[model.counted.conditioning], [model.negative]]
    options = hooked_options({}, Capture(reader, model.counted.conditioning.get("uuid"), calls))
    comfy.samplers.calc_cond_batch(model.patcher.model, conditionings, model.x, model.sigma, options)
    return calls.calls
