"""The words whose maps are kept at every step, small enough to keep all steps of a run."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from einops import rearrange
from torch import Tensor

from .calls import Grid
from .grids import halved, resize_queries

Word = tuple[str, tuple[int, ...]]

# Maps of single steps and layers are kept for so many words, on grids of at most so many pixels: 48 KB a step in fp16,
# and of all pictures of a batch, or all frames of a video, 768 KB where they are many.
MAX_WORDS = 24
MAX_CELLS = 32 * 32
_MAX_CELLS_OF_ALL = 16 * MAX_CELLS
_MIN_CELLS = 16 * 16


def step_grid(grid: Grid, items: int) -> Grid:
    """(h, w) of the maps of single steps and layers of a run with maps of `items` pictures or frames on `grid`."""
    return halved(grid, min(MAX_CELLS, max(_MAX_CELLS_OF_ALL // max(items, 1), _MIN_CELLS)))


def words_in_order(
    nouns: Sequence[str], noun_tokens: Sequence[tuple[int, ...]], words: Sequence[Word]
) -> tuple[Word, ...]:
    """Counted nouns with their token positions, then the prompt's other words; a noun's own words are not repeated."""
    counted = tuple(zip(nouns, noun_tokens, strict=True))
    taken = set(noun_tokens)
    return (*counted, *((word, positions) for word, positions in words if positions not in taken))


def word_selector(words: Sequence[Word], width: int, length: int, like: Tensor) -> Tensor:
    """(width, k) matrix that adds up the columns of each word.

    Args:
        width: text tokens that the model reads, a multiple of `length`: ComfyUI repeats the shorter of two contexts.
        length: text tokens of the prompt's context.
    """
    places = [
        (start + position, column)
        for column, (_, positions) in enumerate(words)
        for start in range(0, width, length)
        for position in positions
    ]
    matrix = torch.zeros(width, len(words))
    matrix[[row for row, _ in places], [column for _, column in places]] = 1
    return matrix.to(like)


def small_maps(columns: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Columns of words, (B, h * w, k), as maps on `target`: (B, k, H * W)."""
    return rearrange(resize_queries(columns, grid, target), "b p k -> b k p")
