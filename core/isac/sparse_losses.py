"""ISAC's losses and their gradient on the maps, from the few rows of self-attention that they touch.

Every loss is a maximum over pixels of products at one pixel. So with respect to the maps it has a gradient in one row of
self-attention only: that of the pixel where the maximum lies. The maxima are looked for on whole maps without a graph;
then the same losses are taken once more, of those rows alone, with a graph.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ..attention import AttentionMaps, Clustering, Grid, cluster_pixels, foreground, noun_columns
from .differentiate import StepLosses
from .losses import max_pairwise_overlap
from .map_gradients import MapGradient
from .schedule import LossWeights
from .target import PromptTarget
from .words import ConceptTokens, repelled, word_scale


def _stretch(matrix: Tensor) -> Tensor:
    """Scale a whole map to 0..1 in place (ISAC, eq. 14), and return the span () that it was divided by."""
    low, high = matrix.amin(), matrix.amax()
    span = (high - low).clamp_min(torch.finfo(matrix.dtype).tiny)
    matrix.sub_(low).div_(span)
    return span


def _largest_product(maps: Tensor) -> tuple[int, tuple[int, int]]:
    """At which pixel, and of which two, (N, P) maps have their largest product; N is at least 2."""
    largest = maps.sort(dim=0, descending=True, stable=True)
    pixel = int((largest.values[0] * largest.values[1]).argmax())
    one, other = largest.indices[:2, pixel].tolist()
    return pixel, (one, other)


@dataclass(frozen=True)
class _Product:
    """A product of two words' maps at one pixel: a row of self-attention, and two columns."""

    pixel: int
    pair: tuple[int, int]

    def of(self, scaled: Tensor) -> Tensor:
        """() from that row of (1, w) maps."""
        return scaled[0, self.pair[0]] * scaled[0, self.pair[1]]


@dataclass(frozen=True)
class _Touched:
    """Where the maxima lie; all of it constant.

    Attributes:
        instance: pixel of the largest overlap of two instances.
        foreground: (F,) pixels, and `assignment` (F, N) their clusters.
        scale: (w,) what the words' maps are divided by.
        apart: L_repel, None for a single object.
        together: L_bind is what it is short of 1, None where nothing is to be bound.
    """

    instance: int
    foreground: Tensor
    assignment: Tensor
    scale: Tensor
    apart: _Product | None
    together: _Product | None

    @property
    def pixels(self) -> list[int]:
        """The rows of self-attention."""
        return [self.instance, *(product.pixel for product in (self.apart, self.together) if product is not None)]

    def losses(self, rows: Tensor, columns: Tensor) -> tuple[Tensor, Tensor]:
        """L_ins and L_sem of those rows (r, P), and (P, w) columns of words."""
        masks = rows[0, self.foreground] @ self.assignment
        scaled = rows[1:] @ columns / self.scale
        semantic = columns.new_zeros(())
        if self.apart is not None:
            semantic = semantic + self.apart.of(scaled[:1])
        if self.together is not None:
            semantic = semantic + 1 - self.together.of(scaled[-1:])
        return max_pairwise_overlap(masks[:, None]), self.scale.amax().square() * semantic


def _products(spread: Tensor, scale: Tensor, words: ConceptTokens) -> tuple[_Product | None, _Product | None]:
    """What decides L_repel and L_bind of (P, w) maps."""
    scaled, apart, together = spread / scale, None, None
    if len(words.objects) > 1:
        strongest, which = repelled(scaled, words)
        pixel, (one, other) = _largest_product(strongest)
        apart = _Product(pixel, (int(which[one, pixel]), int(which[other, pixel])))
    if words.bound:
        overlaps = torch.stack([scaled[:, one] * scaled[:, other] for one, other in words.bound])
        loosest = int(overlaps.amax(1).argmin())
        if bool(overlaps[loosest].amax() < 1):
            together = _Product(int(overlaps[loosest].argmax()), words.bound[loosest])
    return apart, together


def _locate(
    own: Tensor, columns: Tensor, grid: Grid, instances: int, words: ConceptTokens, how: Clustering
) -> _Touched:
    """Find the maxima on scaled maps: (P, P) self-attention and (P, w) columns of words."""
    spread = own @ columns
    pixels = foreground(spread[:, : len(words.objects)], instances)
    among = own[pixels[:, None], pixels]
    assignment = cluster_pixels(among, pixels, grid, instances, how)
    first = _largest_product((among @ assignment).T)[0] if instances > 1 else 0
    scale = word_scale(spread, words)
    return _Touched(int(pixels[first]), pixels, assignment, scale, *_products(spread, scale, words))


def picture_step(
    maps: AttentionMaps, target: PromptTarget, words: ConceptTokens, weights: LossWeights, clustering: Clustering
) -> tuple[StepLosses, MapGradient | None]:
    """Losses of one picture, and their gradient with respect to its raw maps.

    Args:
        maps: of one picture, as `picture_maps` gives them; they are overwritten.
        words: `words_of(target)`.

    Returns:
        Losses (1,) without graph, and the gradient, None where it is zero.
    """
    own, cross = maps.self_attention[0], maps.cross_attention[0]
    with torch.no_grad():
        spans = _stretch(own), _stretch(cross)
        touched = _locate(own, noun_columns(cross, words.positions), maps.grid, target.instances, words, clustering)
    tokens = words.tokens
    with torch.enable_grad():
        rows = own[touched.pixels].requires_grad_()
        columns = cross[:, list(tokens)].requires_grad_()
        instance, semantic = touched.losses(rows, noun_columns(columns, words.within(tokens).positions))
        total = weights.instance * instance + weights.semantic * semantic
        losses = StepLosses(*(loss.detach()[None] for loss in (instance, semantic, total)))
        if not total.requires_grad:
            return losses, None
        by_row, by_column = torch.autograd.grad(total, (rows, columns), allow_unused=True, materialize_grads=True)
    pixels = torch.tensor(touched.pixels, device=own.device)
    gradient = MapGradient(maps.grid, pixels, by_row / spans[0], tokens, by_column / spans[1]).without_zeros()
    return losses, gradient if len(gradient.pixels) or gradient.tokens else None
