"""Deterministic clustering: K-means on the device of its input, or scikit-learn's spectral clustering and mixtures."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, get_args

import torch
from torch import Tensor
from torch.nn.functional import one_hot

from ..errors import CountError

Clustering = Literal["kmeans", "spectral", "gmm"]

_ROUNDS = 12  # at most: it ends when no row changes its cluster
_SEED = 0  # of sklearn's clusterings, so that a picture can be made again


def _distances(features: Tensor, centres: Tensor) -> Tensor:
    """Squared distances up to a constant per row: (F, K), by one matrix product and no copy of the features."""
    return centres.square().sum(1) - 2 * (features @ centres.T)


def farthest_points(features: Tensor, clusters: int) -> Tensor:
    """Start centres: the row farthest from the mean, then always the row farthest from all centres: (K, D)."""
    squares = torch.einsum("fd,fd->f", features, features)
    first = (squares + _distances(features, features.mean(0, keepdim=True))[:, 0]).argmax()
    centres, distance = [features[first]], torch.full_like(squares, torch.inf)
    for _ in range(clusters - 1):
        distance = torch.minimum(distance, squares + _distances(features, centres[-1][None])[:, 0])
        centres.append(features[distance.argmax()])
    return torch.stack(centres)


@torch.no_grad()
def kmeans(features: Tensor, clusters: int, rounds: int = _ROUNDS) -> Tensor:
    """Assign rows to clusters (Lloyd's algorithm from farthest-point centres; no random numbers).

    Args:
        features: (F, D).
        clusters: K, at most F.
        rounds: at most so many; it ends when no row changes its cluster.

    Returns:
        (F, K) one-hot assignment in the dtype of `features`. A cluster can be empty when rows coincide.

    Raises:
        CountError: there are fewer rows than clusters.
    """
    _check(features, clusters)
    centres = farthest_points(features, clusters)
    nearest = torch.full((len(features),), -1, device=features.device)
    for _ in range(rounds):
        before, nearest = nearest, _distances(features, centres).argmin(1)
        if torch.equal(before, nearest):
            break
        assignment = one_hot(nearest, clusters).to(features.dtype)
        sizes = assignment.sum(0).unsqueeze(1)
        centres = torch.where(sizes > 0, (assignment.T @ features) / sizes.clamp_min(1), centres)
    return one_hot(nearest, clusters).to(features.dtype)


def _spectral(features: Tensor, clusters: int) -> Tensor:
    from sklearn.cluster import SpectralClustering  # takes a second to import, and few ask for it

    labels = SpectralClustering(clusters, random_state=_SEED).fit_predict(features.float().cpu().numpy())
    return torch.from_numpy(labels)


def _gmm(features: Tensor, clusters: int) -> Tensor:
    """Diagonal covariances: a full one has more numbers than there are rows to learn it from."""
    from sklearn.mixture import GaussianMixture

    model = GaussianMixture(clusters, covariance_type="diag", random_state=_SEED)
    return torch.from_numpy(model.fit_predict(features.float().cpu().numpy()))


_SCIKIT_LEARN: dict[Clustering, Callable[[Tensor, int], Tensor]] = {"spectral": _spectral, "gmm": _gmm}


@torch.no_grad()
def cluster(features: Tensor, clusters: int, method: Clustering = "kmeans") -> Tensor:
    """Assign rows to clusters; the same rows always get the same clusters, and no global random state is touched.

    Args:
        features: (F, D).
        clusters: K, at most F.
        method: "kmeans" on the device of `features`; "spectral" (RBF affinity) and "gmm" (diagonal covariances) are
            scikit-learn's, on the CPU.

    Returns:
        (F, K) one-hot in the dtype and on the device of `features`.

    Raises:
        CountError: there are fewer rows than clusters, or the method is unknown.
    """
    _check(features, clusters)
    if method not in get_args(Clustering):
        raise CountError(f"clustering is '{method}'; it can be {', '.join(get_args(Clustering))}")
    # Where every row is a cluster, or all are one, there is nothing to learn, and spectral clustering cannot do it.
    if method == "kmeans" or clusters in (1, len(features)):
        return kmeans(features, clusters)
    labels = _SCIKIT_LEARN[method](features, clusters)
    return one_hot(labels.long(), clusters).to(features)


def _check(features: Tensor, clusters: int) -> None:
    if not 1 <= clusters <= len(features):
        raise CountError(f"{len(features)} pixels cannot form {clusters} clusters")
