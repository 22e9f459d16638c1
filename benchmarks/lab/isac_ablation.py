"""ISAC with one part exchanged, as its ablations have it: schedule (Table 2 of v1), metric (Table 3), and no self-attention.

These are choices of the benchmarks; the node offers what the paper ends up with, and the clusterings of Table 4. Where the
paper names a metric only, its form is ours: each says how alike two masks are, 0 or more, and takes the place of MPO in
equations 8 and 12. It is differentiated through full attention matrices, which takes the memory that the paper reports.
Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from types import SimpleNamespace
from typing import Any

import torch
from comfy_api.latest import io
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.core.attention import AttentionCall, aggregate, normalised, noun_columns
from headcount.core.errors import CountError
from headcount.core.isac import LossWeights, Objective, PaperObjective, PlainStep, PromptTarget, StepLosses, paper_grid
from headcount.core.isac.losses import max_pairwise_overlap
from headcount.core.isac.masks import instance_masks
from torch import Tensor

SCHEDULES: dict[str, Callable[[LossWeights], LossWeights]] = {
    "A": lambda _: LossWeights(1.0, 0.0),
    "B": lambda _: LossWeights(0.0, 1.0),
    "C": lambda _: LossWeights(0.5, 0.5),
    "D": lambda published: LossWeights(published.semantic, published.instance),
    "E": lambda published: published,
}
"""Rows of Table 2: instances only, classes only, both alike, classes to instances, instances to classes (ISAC)."""


def _distribution(mask: Tensor) -> Tensor:
    return mask / mask.sum().clamp_min(torch.finfo(mask.dtype).tiny)


def _divergence(one: Tensor, other: Tensor) -> Tensor:
    least = torch.finfo(one.dtype).tiny
    return (one * (one.clamp_min(least) / other.clamp_min(least)).log()).sum()


def mae(one: Tensor, other: Tensor) -> Tensor:
    """1 minus the mean absolute difference of two masks, each divided by the larger of their maxima."""
    scale = torch.maximum(one.max(), other.max()).detach().clamp_min(torch.finfo(one.dtype).tiny)
    return 1 - (one - other).abs().mean() / scale


def kl(one: Tensor, other: Tensor) -> Tensor:
    """exp of minus the mean of both divergences of the masks as distributions: 1 for equal ones."""
    first, second = _distribution(one), _distribution(other)
    return torch.exp(-(_divergence(first, second) + _divergence(second, first)) / 2)


def iou(one: Tensor, other: Tensor) -> Tensor:
    """Soft intersection over union: sum of minima over sum of maxima."""
    together = torch.maximum(one, other).sum().clamp_min(torch.finfo(one.dtype).tiny)
    return torch.minimum(one, other).sum() / together


METRICS: dict[str, Callable[[Tensor, Tensor], Tensor]] = {"mae": mae, "kl": kl, "iou": iou}
"""Those beside "mpo", which is the published one."""


@dataclass(frozen=True)
class MetricObjective:
    """The published objective with another metric than MPO, or without self-attention; see `PaperObjective`.

    Attributes:
        metric: "mpo" or one of `METRICS`.
        self_attention: without it classes are compared where cross-attention sees them, and instances, which are then the
            clusters themselves, never overlap.
    """

    target: PromptTarget
    weights: LossWeights
    metric: str
    self_attention: bool = True

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def start(self) -> PlainStep:
        return PlainStep(self._losses)

    def _losses(self, calls: list[AttentionCall]) -> StepLosses:
        maps = normalised(aggregate(calls, paper_grid(calls)))
        instance, semantic = [], []
        for item in range(len(maps.self_attention)):
            classes = noun_columns(maps.cross_attention[item], self.target.tokens)
            if self.self_attention:
                masks, _ = instance_masks(maps, item, self.target.tokens, self.target.instances)
                instance.append(self._most_alike(masks))
                semantic.append(self._most_alike((maps.self_attention[item] @ classes).T))
            else:
                instance.append(classes.new_zeros(()))
                semantic.append(self._most_alike(classes.T))
        by_instance, by_class = torch.stack(instance), torch.stack(semantic)
        weighted = self.weights.instance * by_instance + self.weights.semantic * by_class
        return StepLosses(by_instance, by_class, weighted)

    def _most_alike(self, masks: Tensor) -> Tensor:
        if self.metric == "mpo":
            return max_pairwise_overlap(masks)
        pairs = [METRICS[self.metric](one, other) for one, other in combinations(masks, 2)]
        return torch.stack(pairs).amax() if pairs else masks.new_zeros(())


@dataclass(frozen=True)
class _AblationSettings(IsacSettings):
    """Those of the paper, with one part of its objective exchanged."""

    schedule: str = "E"
    metric: str = "mpo"
    self_attention: bool = True

    def paper_objective(self, target: PromptTarget, weights: LossWeights) -> Objective:
        scheduled = SCHEDULES[self.schedule](weights)
        if self.metric == "mpo" and self.self_attention:
            return PaperObjective(target, scheduled)
        return MetricObjective(target, scheduled, self.metric, self.self_attention)


class IsacAblation:
    """Stands where a node stands: `isac_ablation:schedule=A:metric=iou`."""

    @classmethod
    def define_schema(cls) -> Any:
        """The settings and their defaults, which are the published ones."""
        defaults = {name: getattr(_AblationSettings, name) for name in ("schedule", "metric", "self_attention")}
        return SimpleNamespace(inputs=[SimpleNamespace(id=name, default=value) for name, value in defaults.items()])

    @classmethod
    def execute(cls, model: Any, schedule: str, metric: str, self_attention: bool) -> io.NodeOutput:
        """MODEL and MAPS.

        Raises:
            CountError: there is no such schedule or metric.
        """
        for name, value, known in (("schedule", schedule, SCHEDULES), ("metric", metric, ("mpo", *METRICS))):
            if value not in known:
                raise CountError(f"isac_ablation has no {name} {value!r}; it has {', '.join(known)}")
        exchanged = {"schedule": schedule, "metric": metric, "self_attention": self_attention}
        settings = _AblationSettings(objective="paper", step_mode="paper", step_size=0.01, **exchanged)
        return io.NodeOutput(*with_isac(model, settings))
