"""ISAC with one part exchanged: schedule (Table 2 of v1), metric (Table 3), and no self-attention; each with v1's loss of
classes, which does not keep attributes with their nouns.

Methods are written as `isac_ablation:schedule=A`; the clusterings of Table 4 are settings of Count Control. Where the paper
names a metric only, its form is ours: each says how alike two masks are, 0 or more, and takes the place of MPO in equations 8
and 12. It is differentiated through full attention matrices, which takes the memory that the paper reports.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any

import torch
from comfy_api.latest import io
from torch import Tensor

from . import pack

NODE_ID = "HeadcountIsacAblation"
SCHEDULES: dict[str, Callable[[Any], Any]] = {
    "E": lambda published: published,
    "A": lambda published: replace(published, instance=1.0, semantic=0.0),
    "B": lambda published: replace(published, instance=0.0, semantic=1.0),
    "C": lambda published: replace(published, instance=0.5, semantic=0.5),
    "D": lambda published: replace(published, instance=published.semantic, semantic=published.instance),
}
"""Rows of Table 2, from the published `LossWeights`: instances to classes (ISAC); instances only, classes only, both alike,
classes to instances."""


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
        target: `PromptTarget`.
        weights: `LossWeights`.
        metric: "mpo" or one of `METRICS`.
        self_attention: without it classes are compared where cross-attention sees them, and instances, which are then the
            clusters themselves, never overlap.
    """

    target: Any
    weights: Any
    metric: str
    self_attention: bool = True

    def select(self, calls: list[Any]) -> list[Any]:
        return calls

    def start(self) -> Any:
        return pack("core.isac").PlainStep(self._losses)

    def _losses(self, calls: Sequence[Any]) -> Any:
        attention, isac = pack("core.attention"), pack("core.isac")
        masks_of = pack("core.isac.masks").instance_masks
        maps = attention.normalised(attention.aggregate(calls, isac.paper_grid(calls)))
        instance, semantic = [], []
        for item in range(len(maps.self_attention)):
            classes = attention.noun_columns(maps.cross_attention[item], self.target.tokens)
            if self.self_attention:
                masks, _ = masks_of(maps, item, self.target.tokens, self.target.instances)
                instance.append(self._most_alike(masks))
                semantic.append(self._most_alike((maps.self_attention[item] @ classes).T))
            else:
                instance.append(classes.new_zeros(()))
                semantic.append(self._most_alike(classes.T))
        by_instance, by_class = torch.stack(instance), torch.stack(semantic)
        weighted = self.weights.instance * by_instance + self.weights.semantic * by_class
        return isac.StepLosses(by_instance, by_class, weighted)

    def _most_alike(self, masks: Tensor) -> Tensor:
        if self.metric == "mpo":
            overlap: Tensor = pack("core.isac.losses").max_pairwise_overlap(masks)
            return overlap
        pairs = [METRICS[self.metric](one, other) for one, other in combinations(masks, 2)]
        return torch.stack(pairs).amax() if pairs else masks.new_zeros(())


def _settings(schedule: str, metric: str, self_attention: bool) -> Any:
    """Those of the paper, with one part of its objective exchanged."""

    class Exchanged(pack("bridge.isac.control").IsacSettings):  # type: ignore[misc]
        def paper_objective(self, target: Any, weights: Any) -> Any:
            scheduled = SCHEDULES[schedule](weights)
            if metric == "mpo" and self_attention:
                return pack("core.isac").PaperObjective(target, scheduled)
            return MetricObjective(target, scheduled, metric, self_attention)

    return Exchanged(objective="paper", step_mode="paper", step_size=0.01)


class IsacAblation(io.ComfyNode):
    """Stands where Count Control stands."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id=NODE_ID,
            display_name="ISAC with one part exchanged",
            category="Headcount/Benchmarks",
            description="Count Control with preset paper, v1's loss of classes and one part exchanged: rows of its tables.",
            inputs=[
                io.Model.Input("model"),
                io.Combo.Input("schedule", options=list(SCHEDULES), default="E"),
                io.Combo.Input("metric", options=["mpo", *METRICS], default="mpo"),
                io.Boolean.Input("self_attention", default=True),
            ],
            outputs=[io.Model.Output(), io.Custom("HEADCOUNT_MAPS").Output(display_name="MAPS")],
        )

    @classmethod
    def execute(cls, model, schedule, metric, self_attention) -> io.NodeOutput:
        """MODEL and MAPS.

        Raises:
            CountError: there is no such schedule or metric, or the model is of a family whose attention cannot be read.
        """
        for name, value, known in (("schedule", schedule, SCHEDULES), ("metric", metric, ("mpo", *METRICS))):
            if value not in known:
                raise pack("core.errors").CountError(
                    f"isac_ablation has no {name} {value!r}; it has {', '.join(sorted(known))}"
                )
        settings = _settings(schedule, metric, self_attention)
        return io.NodeOutput(*pack("bridge.isac.control").with_isac(model, settings))
