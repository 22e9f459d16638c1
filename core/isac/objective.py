"""The objective of one sampling step, from attention maps to one number per picture.

Reference: "ISAC: Training-Free Instance-to-Semantic Attention Control" (ECCV 2026; arXiv 2505.20935), equations 5 to 14
of v1, and the repel-and-bind phase of v4, see `words`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ..attention import (
    AttentionCall,
    AttentionMaps,
    Clustering,
    Grid,
    PictureSums,
    halved,
    head_counts,
    largest_grid,
    normalised,
    noun_columns,
    outline,
)
from .differentiate import CallGradient, ObjectiveStep, StepLosses, differentiated
from .losses import max_pairwise_overlap
from .map_gradients import MapGradient, MapGradients
from .masks import instance_masks
from .schedule import LossWeights
from .sparse_losses import picture_step
from .target import PromptTarget
from .words import semantic_loss, words_of

# A self-attention map has the square of this many values: 67 MB in float32.
_MAX_CELLS = 64 * 64


def paper_grid(calls: list[AttentionCall]) -> Grid:
    """The grid of the maps: the finest one recorded, halved until it has at most 64 x 64 cells.

    Raises:
        CountError: there are no calls.
    """
    return halved(largest_grid(calls), _MAX_CELLS)


def paper_losses(
    maps: AttentionMaps,
    target: PromptTarget,
    weights: LossWeights,
    clustering: Clustering = "kmeans",
    bind: bool = False,
) -> StepLosses:
    """ISAC's objective as published (eq. 5), on maps scaled to 0..1 (eq. 14) and masks that are not scaled.

    The plain form, through full matrices: what `PaperObjective` is measured against.

    Args:
        maps: raw maps of one model call, as `aggregate` gives them.
        target: the same for all pictures of the batch.
        bind: v4's semantic loss instead of v1's; the same where the target has no attributes.
    """
    scaled, words = normalised(maps), words_of(target, bind)
    instance, semantic = [], []
    for item in range(len(scaled.self_attention)):
        masks, _ = instance_masks(scaled, item, target.tokens, target.instances, clustering)
        instance.append(max_pairwise_overlap(masks))
        spread = scaled.self_attention[item] @ noun_columns(scaled.cross_attention[item], words.positions)
        semantic.append(semantic_loss(spread, words))
    by_instance, by_word = torch.stack(instance), torch.stack(semantic)
    return StepLosses(by_instance, by_word, weights.instance * by_instance + weights.semantic * by_word)


@dataclass(frozen=True)
class PaperObjective:
    """ISAC as published, over all recorded attention, at the cost of the rows that its losses touch.

    Attributes:
        clustering: how the foreground is cut into instances.
        bind: v4's semantic loss: attributes stay with their noun. Without attributes it is v1's.
    """

    target: PromptTarget
    weights: LossWeights
    clustering: Clustering = "kmeans"
    bind: bool = False

    def select(self, calls: list[AttentionCall]) -> list[AttentionCall]:
        return calls

    def start(self) -> ObjectiveStep:
        return _PaperStep(self)

    def __call__(self, calls: list[AttentionCall]) -> tuple[StepLosses, list[CallGradient]]:
        """Losses, and gradients at calls that are all at hand."""
        return differentiated(self, calls)


def _map_grid(grid: Grid) -> Grid:
    """Where self-attention is kept until the grid of the maps is known; a model's grids halve into one another."""
    return halved(grid, _MAX_CELLS)


class _PaperStep:
    """A step of `PaperObjective`.

    Until it is finished it keeps one self-attention map for each picture of the batch, 67 MB for 64 x 64 cells; then
    only the rows and columns that the losses touch.
    """

    def __init__(self, objective: PaperObjective) -> None:
        self._objective = objective
        self._words = words_of(objective.target, objective.bind)
        self._needless = objective.target.instances < 2 and not self._words.bound
        self._seen: list[AttentionCall] = []
        self._pictures: list[PictureSums] = []
        self._device = torch.device("cpu")
        self._gradients = MapGradients([], {})

    def accumulate(self, call: AttentionCall) -> None:
        self._seen.append(outline(call))
        if not self._pictures:
            self._pictures = [PictureSums(item, _map_grid) for item in range(len(call.queries))]
            self._device = call.queries.device
        if self._needless:
            return
        with torch.inference_mode(False):
            for picture in self._pictures:
                picture.add(call)

    def finish(self) -> StepLosses:
        if self._needless:
            nothing = torch.zeros(len(self._pictures), device=self._device)
            return StepLosses(nothing, nothing, nothing)
        grid, own = paper_grid(self._seen), self._objective
        losses: list[StepLosses] = []
        gradients: list[MapGradient | None] = []
        with torch.inference_mode(False):
            while self._pictures:
                maps = self._pictures.pop(0).maps(grid)
                found, gradient = picture_step(maps, own.target, self._words, own.weights, own.clustering)
                losses.append(found)
                gradients.append(gradient)
        joined = StepLosses.joined(losses)
        if bool(joined.total.any()):
            self._gradients = MapGradients(gradients, head_counts(self._seen))
        return joined

    def has_gradient(self, call: AttentionCall) -> bool:
        return self._gradients.has_gradient(call)

    def gradient(self, call: AttentionCall) -> CallGradient:
        return self._gradients.at(call)
