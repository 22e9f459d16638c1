"""Which self-attention head tells instances apart best: contrast, variation between places and edges.

The paper's ablation (Table 4) reads other heads: one at random, or the mean attention of all or of a few of the best.
"""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import avg_pool2d, conv2d

from ...attention import Grid
from ..attention import head_chunks, principal_components, self_probabilities
from ..settings import PublishedSettings

GREY = (0.299, 0.587, 0.114)  # the weights of red, green and blue in a picture's brightness

FLAT = 1e-8  # a component that spans less is constant

AVERAGED = -1
"""Stands for the mean of several heads, as in the released code."""


def best_heads(queries: Tensor, keys: Tensor, grid: Grid, settings: PublishedSettings) -> tuple[Tensor, Tensor]:
    """The self-attention head of each frame that shows instances best, and its components; others as the settings say.

    Returns:
        (F,) heads, `AVERAGED` where it is the mean of several, and (F, P, 3) components.
    """
    generator = torch.Generator().manual_seed(settings.seed)
    frames = zip(queries, keys, strict=True)
    chosen = [_of_frame(own_queries, own_keys, grid, settings, generator) for own_queries, own_keys in frames]
    heads, components = zip(*chosen, strict=True)
    return torch.stack(heads), torch.stack(components)


def _of_frame(
    queries: Tensor, keys: Tensor, grid: Grid, settings: PublishedSettings, generator: torch.Generator
) -> tuple[Tensor, Tensor]:
    """Head and (P, 3) components of one frame; queries and keys (H, P, d)."""
    if settings.heads == "best" and settings.averaged_heads == 1:
        return _best_head(queries, keys, grid, settings)
    if settings.heads == "random":
        head = torch.randint(len(queries), (1,), generator=generator).to(queries.device)
        return head[0], _components_of_mean(queries[head], keys[head])
    if settings.heads == "best":
        scores, _ = _scored(queries, keys, grid, settings)
        best = scores.argsort(descending=True, stable=True)[: settings.averaged_heads]
        queries, keys = queries[best], keys[best]
    return torch.tensor(AVERAGED, device=queries.device), _components_of_mean(queries, keys)


def _components_of_mean(queries: Tensor, keys: Tensor) -> Tensor:
    """(P, 3) components of the mean attention of heads; queries and keys (H, P, d)."""
    parts = [self_probabilities(queries[part], keys[part]).sum(0) for part in head_chunks(queries, queries.shape[1])]
    return principal_components(torch.stack(parts).sum(0) / len(queries))


def _best_head(queries: Tensor, keys: Tensor, grid: Grid, settings: PublishedSettings) -> tuple[Tensor, Tensor]:
    """Head and (P, 3) components of one frame; queries and keys (H, P, d)."""
    scores, components = _scored(queries, keys, grid, settings)
    best = scores.argmax()
    if settings.head_components == "first3":
        components = principal_components(self_probabilities(queries[best], keys[best]))
        return best, components
    return best, components[best]


def _scored(queries: Tensor, keys: Tensor, grid: Grid, settings: PublishedSettings) -> tuple[Tensor, Tensor]:
    """(H,) scores of heads and the (H, P, 3) components that were scored; queries and keys (H, P, d)."""
    chunks = head_chunks(queries, queries.shape[1])
    parts = [_scored_at_once(queries[chunk], keys[chunk], grid, settings) for chunk in chunks]
    scores, components = (torch.cat(part) for part in zip(*parts, strict=True))
    return scores, components


def _scored_at_once(queries: Tensor, keys: Tensor, grid: Grid, settings: PublishedSettings) -> tuple[Tensor, Tensor]:
    attention = self_probabilities(queries, keys)
    if settings.head_components == "first3":
        components = attention[..., :3] - attention[..., :3].mean(-2, keepdim=True)
    else:
        components = principal_components(attention)
    return score_heads(components, grid, settings), components


@torch.no_grad()
def score_heads(components: Tensor, grid: Grid, settings: PublishedSettings) -> Tensor:
    """Score heads by their components as grey pictures (NUMINA, eq. 4 to 7; block size as in the released code).

    Args:
        components: (..., P, 3), P = h * w.
        grid: (h, w).

    Returns:
        (...): the higher, the clearer the head shows instances.
    """
    grey = stretched(components, 0.5) @ components.new_tensor(GREY)
    images = rearrange(grey, "... (h w) -> (...) 1 h w", h=grid[0])
    size = max(1, grid[0] // settings.block_grid), max(1, grid[1] // settings.block_grid)
    blocks = avg_pool2d(images, size) * (size[0] * size[1] if settings.blocks == "sums" else 1)
    scores = grey.std(-1).flatten(), blocks.flatten(1).var(-1), _edges(images)
    total = sum((weight * score for weight, score in zip(settings.score_weights, scores, strict=True)), 0 * scores[0])
    return total.reshape(grey.shape[:-1])


def stretched(components: Tensor, flat: float | None = None) -> Tensor:
    """(..., P, n) with each component brought to 0..1; constant ones become `flat`, or stay when it is None."""
    low, high = components.amin(-2, keepdim=True), components.amax(-2, keepdim=True)
    constant = high - low <= FLAT
    scaled = (components - low) / (high - low).clamp_min(FLAT)
    return torch.where(constant, components if flat is None else torch.full_like(components, flat), scaled)


def _edges(images: Tensor) -> Tensor:
    """(n, 1, h, w) to (n,): mean size of the Sobel gradient, zeros around the frame."""
    across = images.new_tensor([[-1.0, 0, 1], [-2, 0, 2], [-1, 0, 1]])
    slopes = conv2d(images, torch.stack([across, across.T])[:, None], padding=1)
    return slopes.square().sum(1).sqrt().mean((-1, -2))
