"""ISAC's objective as its paper writes it, in one function over full matrices: what every faster way is compared with.

Slow, takes float64, keeps everything in the autograd graph. Equation numbers are those of arXiv 2505.20935v1; v4's
semantic loss is in `repel_and_bind`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class ReferenceLosses:
    """One number each for one picture; `total` is differentiable."""

    instance: Tensor
    semantic: Tensor
    total: Tensor


def _softmax_rows(queries: Tensor, keys: Tensor) -> Tensor:
    """Eq. 1 and 2 for one head: softmax(Q K^T / sqrt(d)), written out."""
    scores = queries @ keys.T / queries.shape[1] ** 0.5
    powers = torch.exp(scores - scores.detach().amax(1, keepdim=True))
    return powers / powers.sum(1, keepdim=True)


def interpolation_matrix(size: int, target: int) -> Tensor:
    """(target, size) weights of linear interpolation between pixel centres, edges held: written out by hand."""
    weights = torch.zeros(target, size, dtype=torch.float64)
    for out in range(target):
        place = min(max((out + 0.5) * size / target - 0.5, 0.0), size - 1.0)
        low = int(place)
        high = min(low + 1, size - 1)
        weights[out, low] += 1 - (place - low)
        weights[out, high] += place - low
    return weights


def upsampling_matrix(grid: tuple[int, int], target: tuple[int, int]) -> Tensor:
    """(H * W, h * w) bilinear upsampling of a flattened grid."""
    return torch.kron(interpolation_matrix(grid[0], target[0]), interpolation_matrix(grid[1], target[1]))


def reference_maps(
    own: list[tuple[tuple[int, int], Tensor, Tensor]],
    cross: list[tuple[tuple[int, int], Tensor, Tensor]],
    target: tuple[int, int],
) -> tuple[Tensor, Tensor]:
    """Eq. 3 and 4 for one picture: mean over all heads of all layers, each head upsampled by itself.

    Args:
        own, cross: layers as (grid, queries (H, N, d), keys (H, K, d)).

    Returns:
        (P, P) self- and (P, T) cross-attention.
    """
    self_heads, cross_heads = [], []
    for grid, queries, keys in own:
        up = upsampling_matrix(grid, target)
        self_heads += [up @ _softmax_rows(q, k) @ up.T for q, k in zip(queries, keys, strict=True)]
    for grid, queries, keys in cross:
        up = upsampling_matrix(grid, target)
        cross_heads += [up @ _softmax_rows(q, k) for q, k in zip(queries, keys, strict=True)]
    return sum(self_heads) / len(self_heads), sum(cross_heads) / len(cross_heads)


def _overlap(one: Tensor, other: Tensor) -> Tensor:
    """Eq. 6."""
    return (one * other).max()


def _largest_overlap(masks: list[Tensor], like: Tensor) -> Tensor:
    """Eq. 8 and 12: the maximum over all pairs."""
    largest = like.new_zeros(())
    for i in range(len(masks)):
        for j in range(i + 1, len(masks)):
            largest = torch.maximum(largest, _overlap(masks[i], masks[j]))
    return largest


def _stretched(matrix: Tensor) -> Tensor:
    """Eq. 14; the two extremes are constants."""
    low, high = matrix.detach().min(), matrix.detach().max()
    return (matrix - low) / (high - low)


def _clusters(features: Tensor, many: int, rounds: int = 12) -> Tensor:
    """K-means (F, D) -> (F,) from farthest-point centres, in plain loops."""
    mean = features.mean(0)
    centres = [features[max(range(len(features)), key=lambda row: float((features[row] - mean).square().sum()))]]
    while len(centres) < many:
        gaps = [min(float((row - centre).square().sum()) for centre in centres) for row in features]
        centres.append(features[max(range(len(gaps)), key=gaps.__getitem__)])
    owner = torch.zeros(len(features), dtype=torch.int64)
    for _ in range(rounds):
        for row, values in enumerate(features):
            gaps = [float((values - centre).square().sum()) for centre in centres]
            owner[row] = gaps.index(min(gaps))
        centres = [features[owner == i].mean(0) if (owner == i).any() else centres[i] for i in range(many)]
    return owner


def repel_and_bind(nouns: list[Tensor], attributes: list[list[Tensor]]) -> Tensor:
    """L_sem of v4 on propagated maps (P,): L_repel + L_bind, in the unit of v1's loss.

    L_repel: the maximum of MPO over pairs of words of different objects. L_bind: the maximum of 1 - MPO over pairs of a
    noun and an attribute of its own. Each map is divided by its maximum, and the sum multiplied by the largest maximum
    squared; maxima are constants.
    """
    highest = max(
        float(word.detach().max()) for noun, own in zip(nouns, attributes, strict=True) for word in (noun, *own)
    )
    objects = [[noun, *own] for noun, own in zip(nouns, attributes, strict=True)]
    objects = [[word / word.detach().max() for word in words] for words in objects]
    repel, bind = nouns[0].new_zeros(()), nouns[0].new_zeros(())
    for i, words in enumerate(objects):
        for other in objects[i + 1 :]:
            for one in words:
                for two in other:
                    repel = torch.maximum(repel, _overlap(one, two))
        for attribute in words[1:]:
            missing = 1 - _overlap(words[0], attribute)
            bind = missing if missing.detach() > bind.detach() else bind
    return highest**2 * (repel + bind)


def reference_losses(
    own: Tensor,
    cross: Tensor,
    grid: tuple[int, int],
    tokens: tuple[tuple[int, ...], ...],
    counts: tuple[int, ...],
    instance_weight: float,
    semantic_weight: float,
    attributes: tuple[tuple[tuple[int, ...], ...], ...] = (),
) -> ReferenceLosses:
    """Eq. 5 to 12 and 14 for one picture; with any attributes, v4's semantic loss in place of eq. 12.

    Args:
        own, cross: (P, P) and (P, T), raw.
        tokens, counts: per noun, its token positions and how many are asked for.
    """
    height, width = grid
    own, cross = _stretched(own), _stretched(cross)

    def spread_of(positions: tuple[int, ...]) -> Tensor:
        return own @ (sum(cross[:, token] for token in positions) / len(positions))  # eq. 7

    propagated = [spread_of(positions) for positions in tokens]
    kept = [
        pixel
        for pixel in range(height * width)
        if any(float(spread[pixel].detach()) > float(spread.detach().mean()) for spread in propagated)  # eq. 9
    ]
    instances = sum(counts)
    if len(kept) < instances:
        kept = list(range(height * width))
    among = own[kept][:, kept]  # eq. 10
    x = torch.tensor([2 * (pixel % width) / max(width - 1, 1) - 1 for pixel in kept], dtype=own.dtype)
    y = torch.tensor([2 * (pixel // width) / max(height - 1, 1) - 1 for pixel in kept], dtype=own.dtype)
    owner = _clusters(torch.cat([among.detach(), x[:, None], y[:, None]], dim=1), instances)
    masks = [among[:, owner == index].sum(1) for index in range(instances)]  # eq. 11
    by_instance = _largest_overlap(masks, own)  # eq. 8
    by_class = _largest_overlap(propagated, own)  # eq. 12
    if any(attributes):
        by_class = repel_and_bind(propagated, [[spread_of(word) for word in words] for words in attributes])
    return ReferenceLosses(by_instance, by_class, instance_weight * by_instance + semantic_weight * by_class)
