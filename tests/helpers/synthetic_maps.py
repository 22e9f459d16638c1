"""Attention to nouns over drawn layouts, as cross-attention of a real model shows it: soft, noisy, strongest at one part."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

TEXT_TOKENS = 77
_TRIES = 200


@dataclass(frozen=True)
class Look:
    """How a model shows objects.

    Attributes:
        contrast: what an object adds to the logit of its noun.
        blur: standard deviation in cells of a 16 x 16 grid.
        noise: standard deviation of the logits.
        sink: logit of the token that takes the rest of the attention.
    """

    contrast: float = 2.5
    blur: float = 1.0
    noise: float = 0.2
    sink: float = 4.0


@dataclass(frozen=True)
class Scene:
    """One picture.

    Attributes:
        heat: (k, side * side) attention to each noun.
        centres: per noun, the (y, x) of its objects, as shares of the side.
        size: diameter of an object, as a share of the side.
    """

    heat: Tensor
    centres: tuple[tuple[tuple[float, float], ...], ...]
    size: float


def scenes(
    shown: tuple[int, ...], size: float, number: int = 20, look: Look | None = None, side: int = 16
) -> Iterator[Scene]:
    """`number` pictures of separate objects, as many of each noun as `shown`."""
    for seed in range(number):
        random = np.random.default_rng(seed)
        every = _apart(sum(shown), size, random)
        ends = np.cumsum(shown)
        centres = tuple(tuple(every[end - many : end]) for many, end in zip(shown, ends, strict=True))
        evidence = torch.stack([_evidence(of_noun, size, side, random) for of_noun in centres])
        yield Scene(_attention(evidence, random, look or Look()).flatten(1), centres, size)


def _apart(number: int, size: float, random: np.random.Generator) -> list[tuple[float, float]]:
    """Centres of so many objects that do not touch."""
    for _ in range(_TRIES):
        centres: list[tuple[float, float]] = []
        for point in random.uniform(size / 2, 1 - size / 2, (60 * number, 2)):
            if len(centres) < number and all(math.dist(point, other) >= 1.05 * size for other in centres):
                centres.append((float(point[0]), float(point[1])))
        if len(centres) == number:
            return centres
    raise ValueError(f"{number} objects of {size:g} of the side do not fit")


def _evidence(centres: tuple[tuple[float, float], ...], size: float, side: int, random: np.random.Generator) -> Tensor:
    """(side, side) of 0 to 1: ellipses with a soft rim, each with a stronger part at one end, as heads are."""
    axis = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    evidence = torch.zeros(side, side)
    for centre_y, centre_x in centres:
        ratio, angle, strength = random.uniform(0.8, 1.25), random.uniform(0, math.pi), random.uniform(0.7, 1.0)
        dx, dy = x - centre_x, y - centre_y
        along = (dx * math.cos(angle) + dy * math.sin(angle)) / (size / 2 * ratio)
        across = (dy * math.cos(angle) - dx * math.sin(angle)) / (size / 2 / ratio)
        body = torch.sigmoid((1 - (along**2 + across**2).sqrt()) * 6)
        head = torch.exp(-((along - 0.45) ** 2 + across**2) / (2 * 0.35**2))
        evidence = torch.maximum(evidence, body * strength * (0.75 + 0.25 * head))
    return evidence


def _attention(evidence: Tensor, random: np.random.Generator, look: Look) -> Tensor:
    """(k, side, side) softmax over all text tokens."""
    side = evidence.shape[-1]
    logits = torch.zeros(TEXT_TOKENS, side, side)
    logits[0] = look.sink
    for noun, shown in enumerate(evidence):
        coarse, fine = (
            _blurred(torch.from_numpy(random.normal(size=(side, side))).float(), sigma)
            for sigma in (side / 8, 0.7 * side / 16)
        )
        noise = 0.7 * (coarse / coarse.std() + fine / fine.std())
        logits[1 + noun] = look.contrast * _blurred(shown, look.blur * side / 16) + look.noise * noise
    return logits.softmax(0)[1 : 1 + len(evidence)]


def _blurred(image: Tensor, sigma: float) -> Tensor:
    axis = torch.arange(len(image)).float()
    kernel = torch.exp(-((axis[:, None] - axis) ** 2) / (2 * sigma**2))
    kernel = kernel / kernel.sum(1, keepdim=True)
    return kernel @ image @ kernel.T
