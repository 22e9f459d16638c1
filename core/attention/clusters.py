"""Deterministic K-means on the device of its input."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..errors import CountError

_ROUNDS = 12


def farthest_points(features: Tensor, clusters: int) -> Tensor:
    """Start centres: the row farthest from the mean, then always the row farthest from all centres: (K, D)."""
    centres = [features[(features - features.mean(0)).square().sum(1).argmax()]]
    distance = (features - centres[0]).square().sum(1)
    for _ in range(clusters - 1):
        centres.append(features[distance.argmax()])
        distance = torch.minimum(distance, (features - centres[-1]).square().sum(1))
    return torch.stack(centres)


@torch.no_grad()
def kmeans(features: Tensor, clusters: int, rounds: int = _ROUNDS) -> Tensor:
    """Assign rows to clusters (Lloyd's algorithm from farthest-point centres; no random numbers).

    Args:
        features: (F, D).
        clusters: K, at most F.

    Returns:
        (F, K) one-hot assignment in the dtype of `features`. A cluster can be empty when rows coincide.

    Raises:
        CountError: there are fewer rows than clusters.
    """
    if not 1 <= clusters <= len(features):
        raise CountError(f"{len(features)} pixels cannot form {clusters} clusters")
    centres = farthest_points(features, clusters)
    assignment = torch.zeros(len(features), clusters, dtype=features.dtype, device=features.device)
    for _ in range(rounds):
        nearest = torch.cdist(features, centres).argmin(1)
        assignment = one_hot(nearest, clusters).to(features.dtype)
        sizes = assignment.sum(0).unsqueeze(1)
        centres = torch.where(sizes > 0, (assignment.T @ features) / sizes.clamp_min(1), centres)
    return assignment
