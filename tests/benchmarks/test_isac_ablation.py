"""ISAC with one part exchanged: what the parts are, and that the published ones are the node's preset *paper*."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from headcount.core.errors import CountError
from headcount.core.isac import LossWeights, PromptTarget
from headcount.core.isac.differentiate import differentiated

from benchmarks.lab.isac_ablation import METRICS, SCHEDULES, MetricObjective
from benchmarks.lab.method_runs import run_method
from benchmarks.lab.node_methods import read_method
from benchmarks.lab.sampling import SHAPES_SAMPLING, Generator

from ..helpers.maps import random_call
from ..helpers.models import shapes


def test_schedules_are_the_rows_of_table_2() -> None:
    early = LossWeights(0.9, 0.1)  # the published one, in the first tenth of the steps
    rows = {name: schedule(early) for name, schedule in SCHEDULES.items()}
    assert rows == {
        "A": LossWeights(1, 0), "B": LossWeights(0, 1), "C": LossWeights(0.5, 0.5), "D": LossWeights(0.1, 0.9), "E": early,
    }  # fmt: skip


@pytest.mark.parametrize("name", METRICS)
def test_metrics_say_how_alike_masks_are(name: str) -> None:
    left, right = torch.zeros(64), torch.zeros(64)
    left[:30], right[34:] = 3.0, 3.0
    between = (left + right.roll(-10)) / 2
    metric = METRICS[name]
    same, partly, apart = (float(metric(left, other)) for other in (left, between, right))
    assert same == pytest.approx(1) and same > partly > apart >= 0


@pytest.mark.parametrize("name", METRICS)
def test_a_step_against_the_gradient_makes_maps_less_alike(name: str) -> None:
    calls = [replace(random_call(kind, (4, 4), seed), place=seed) for seed, kind in enumerate(("self", "cross"))]
    objective = MetricObjective(PromptTarget(((1,), (2,)), (2, 1)), LossWeights(0.6, 0.4), name)
    losses, gradients = differentiated(objective, calls)
    assert len(gradients) == 2 and bool((losses.total > 0).all())
    moved = [
        replace(one.call, queries=one.call.queries - 0.01 * one.queries, keys=one.call.keys - 0.01 * one.keys)
        for one in gradients
    ]
    assert float(differentiated(objective, moved)[0].total.sum()) < float(losses.total.sum())


def test_runs() -> None:
    """Schedule E with MPO is the published objective; other choices sample other images."""
    generator = Generator(shapes(), replace(SHAPES_SAMPLING, steps=2, size=64))
    sampling = generator.sampling("a photo of two circles and a star", 3)
    texts = ("isac_paper", "isac_ablation", "isac_ablation:schedule=D", "isac_ablation:metric=iou")
    published, same, *others = [run_method(sampling, read_method(text)) for text in texts]
    assert torch.equal(published, same)
    assert not any(torch.equal(published, other) for other in others) and not torch.equal(*others)
    for choice in ("schedule=F", "metric=dice"):
        with pytest.raises(CountError, match=r"isac_ablation has no .*; it has"):
            run_method(sampling, read_method(f"isac_ablation:{choice}"))
