"""From the queries and keys of one layer and step to the layouts of every noun and frame."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor

from ..attention import Grid
from ..errors import CountError
from .attention import head_chunks, scores
from .layout import Layouts
from .published import read_published
from .robust import read_robust
from .settings import LayoutSettings

MIN_SIDE = 4  # cells: with fewer, two objects and what is between them do not fit beside one another


@dataclass(frozen=True)
class Reading:
    """What one picture or video showed at step t* and layer l*.

    Attributes:
        queries: (F, H, P, d) of self-attention, P = h * w cells of each frame.
        keys: (F, H, P, d), of the same frames only.
        nouns: (K, F, P) noun response, from `noun_response`; None as long as it was not taken.
        grid: (h, w).
        heads: gives the response head by head, (H, K, F, P) as of `head_responses`; asked where the mean shows no noun.
    """

    queries: Tensor
    keys: Tensor
    nouns: Tensor | None
    grid: Grid
    heads: Callable[[], Tensor] | None = None


@torch.no_grad()
def noun_response(
    queries: Tensor,
    keys: Tensor,
    bias: Tensor | None,
    columns: Sequence[tuple[int, ...]],
    settings: LayoutSettings,
) -> Tensor:
    """How much each cell looks at each noun (NUMINA, eq. 8): softmax over all text keys, mean over a noun's tokens.

    Args:
        queries: (F, H, P, d) image queries of cross-attention.
        keys: (H, T, d) text keys.
        bias: added to the scores, (F or 1, H or 1, P or 1, T); None where the model masks nothing.
        columns: per noun, its token positions, K of them.
        settings: whether the heads are averaged, or for each noun and frame the one with the highest peak is taken.

    Returns:
        (K, F, P) float32.
    """
    frames = _by_frame(queries, keys, bias, columns)
    if settings.cross_map == "mean":
        return torch.stack([heads.mean(1) for heads in frames], dim=1)
    nouns = torch.arange(len(columns), device=queries.device)
    return torch.stack([heads[nouns, heads.amax(-1).argmax(1)] for heads in frames], dim=1)


@torch.no_grad()
def head_responses(queries: Tensor, keys: Tensor, bias: Tensor | None, columns: Sequence[tuple[int, ...]]) -> Tensor:
    """(H, K, F, P) float32: `noun_response` of each head alone."""
    return rearrange(list(_by_frame(queries, keys, bias, columns)), "f k h p -> h k f p")


def _by_frame(
    queries: Tensor, keys: Tensor, bias: Tensor | None, columns: Sequence[tuple[int, ...]]
) -> Iterator[Tensor]:
    """(K, H, P) of each frame."""
    frames, heads = queries.shape[:2]
    biases = [None] * frames if bias is None else bias.expand(frames, heads, -1, -1)
    for own, one in zip(queries, biases, strict=True):
        parts = [
            _few_heads(own[part], keys[part], None if one is None else one[part], columns)
            for part in head_chunks(own, keys.shape[1])
        ]
        yield torch.cat(parts, dim=1)


def _few_heads(queries: Tensor, keys: Tensor, bias: Tensor | None, columns: Sequence[tuple[int, ...]]) -> Tensor:
    """(K, H, P) of some heads."""
    without = scores(queries, keys)
    probabilities = torch.softmax(without if bias is None else without + bias, dim=-1)
    return torch.stack([probabilities[..., list(own)].mean(-1) for own in columns])


def read_layouts(reading: Reading, asked: Sequence[int], settings: LayoutSettings) -> Layouts:
    """Find each noun's instances in each frame, and what to add or remove.

    Args:
        reading: with the nouns' response.
        asked: how many of each noun are wanted, K numbers of at least 0.

    Raises:
        CountError: the response is missing or of other nouns, or the grid is smaller than 4 x 4.
    """
    if reading.nouns is None or len(reading.nouns) != len(asked):
        given = 0 if reading.nouns is None else len(reading.nouns)
        raise CountError(
            f"counts of {len(asked)} nouns were given with the attention to {given}: give one count per noun"
        )
    if min(reading.grid) < MIN_SIDE:
        raise CountError(f"an attention map of {reading.grid[0]} x {reading.grid[1]} is too small: use a larger image")
    parts = reading.queries, reading.keys, reading.nouns, reading.grid, asked
    if settings.reader == "published":
        return read_published(*parts, settings.published)
    return read_robust(*parts, settings.robust, reading.heads)
