"""ISAC with one part exchanged: what the parts are, and that the published ones are the node's preset *paper*."""

from __future__ import annotations

from dataclasses import replace
from itertools import combinations

import pytest
import torch
from headcount.core.attention import aggregate, normalised
from headcount.core.errors import CountError
from headcount.core.isac import LossWeights, PaperObjective, PromptTarget
from headcount.core.isac.differentiate import differentiated

from benchmarks.ablation_nodes.isac import METRICS, SCHEDULES, MetricObjective
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


def test_without_self_attention_classes_alone_are_compared_where_cross_attention_sees_them() -> None:
    calls = [replace(random_call(kind, (4, 4), seed), place=seed) for seed, kind in enumerate(("self", "cross"))]
    target, weights = PromptTarget(((1,), (2,)), (2, 1)), LossWeights(0.6, 0.4)
    published, _ = differentiated(PaperObjective(target, weights), calls)
    same, gradients = differentiated(MetricObjective(target, weights, "mpo"), calls)
    torch.testing.assert_close(vars(same), vars(published))
    assert [one.call.kind for one in gradients] == ["self", "cross"]

    losses, gradients = differentiated(MetricObjective(target, weights, "mpo", self_attention=False), calls)
    cross = normalised(aggregate(calls, (4, 4))).cross_attention
    assert not bool(losses.instance.any())
    torch.testing.assert_close(losses.semantic, (cross[..., 1] * cross[..., 2]).amax(1))
    assert [one.call.kind for one in gradients] == ["cross"]


def test_runs() -> None:
    """Schedule E with MPO is the published objective; other choices sample other images."""
    generator = Generator(shapes(), replace(SHAPES_SAMPLING, steps=2, size=64))
    sampling = generator.sampling("a photo of two circles and a star", 3)
    exchanged = ("schedule=D", "metric=iou", "self_attention=false")
    texts = ("isac_paper", "isac_ablation", *(f"isac_ablation:{choice}" for choice in exchanged))
    published, same, *others = [run_method(sampling, read_method(text)) for text in texts]
    assert torch.equal(published, same)
    assert not any(torch.equal(*pair) for pair in combinations((published, *others), 2))
    for choice in ("schedule=F", "metric=dice"):
        with pytest.raises(CountError, match=r"isac_ablation has no .*; it has"):
            run_method(sampling, read_method(f"isac_ablation:{choice}"))
