"""The self-attention head that keeps things apart best, judged where the nouns are."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import max_pool2d, normalize

from ..attention import head_chunks, principal_components, self_probabilities

ROUGH = 2  # rounds of the decomposition that are enough to compare heads


@torch.no_grad()
def instance_features(queries: Tensor, keys: Tensor, cells: Tensor, components: int) -> tuple[Tensor, int]:
    """What the cells that show nouns look at, in the head of the video that tells things apart best.

    A head is good when neighbours that both show a noun look at the same, neighbours of which one does not look
    elsewhere, and the cells of all things together do not look at the same. A head that only knows the place, only the
    kind of thing, or nothing, has none or two of the three.

    Args:
        queries: (F, H, P, d) of self-attention, and keys alike.
        cells: (F, h, w) bool, where any noun is.
        components: n, principal components of attention that are kept.

    Returns:
        (F, h, w, n) vectors of length 1, and the head.
    """
    around = max_pool2d(cells.float(), 3, stride=1, padding=1) > 0
    scores = [_head_scores(*parts, components) for parts in zip(queries, keys, around, cells, strict=True)]
    head = int(torch.stack(scores).mean(0).argmax())
    head_features = [_all_features(*parts, components) for parts in zip(queries[:, head], keys[:, head], strict=True)]
    return torch.stack(head_features).unflatten(1, cells.shape[1:]), head


def _all_features(queries: Tensor, keys: Tensor, components: int) -> Tensor:
    """(P, d) twice to (P, n): from all cells, since the components of a few cells are their noise."""
    return normalize(principal_components(self_probabilities(queries, keys), components), dim=-1)


def _head_scores(queries: Tensor, keys: Tensor, around: Tensor, cells: Tensor, components: int) -> Tensor:
    """(H, P, d) twice and (h, w) masks to (H,); only the rows around the nouns are looked at, which is far fewer."""
    inside = around.flatten().nonzero().flatten()
    features = torch.zeros(queries.shape[0], around.numel(), components, device=queries.device)
    if len(inside):
        rows = queries[:, inside]
        parts = [
            principal_components(self_probabilities(rows[part], keys[part]), components, ROUGH)
            for part in head_chunks(rows, keys.shape[1])
        ]
        features[:, inside] = normalize(torch.cat(parts), dim=-1)
    return _scores(features.unflatten(1, around.shape), cells)


def _scores(features: Tensor, cells: Tensor) -> Tensor:
    """(H, h, w, n) and (h, w) bool to (H,), 0 where no cell shows a noun."""
    inside, across = _Mean(features), _Mean(features)
    for axis in (0, 1):
        size = cells.shape[axis] - 1
        one, other = cells.narrow(axis, 0, size), cells.narrow(axis, 1, size)
        alike = (features.narrow(axis + 1, 0, size) * features.narrow(axis + 1, 1, size)).sum(-1)
        inside.add(alike, one & other)
        across.add(alike, one ^ other)
    number = cells.sum()
    together = (features * cells[..., None]).sum((1, 2)).square().sum(-1)
    everywhere = (together - number) / (number * (number - 1)).clamp_min(1)
    score: Tensor = inside.value() - across.value() - everywhere
    return score * (number > 1)


class _Mean:
    """Mean of values at some places, for each head."""

    def __init__(self, features: Tensor) -> None:
        self._total = features.new_zeros(len(features))
        self._number = features.new_zeros(())

    def add(self, values: Tensor, where: Tensor) -> None:
        """Take in the values (H, h, w) at some (h, w) places."""
        self._total = self._total + (values * where).sum((1, 2))
        self._number = self._number + where.sum()

    def value(self) -> Tensor:
        """(H,), 0 where there was no place."""
        mean: Tensor = self._total / self._number.clamp_min(1)
        return mean
