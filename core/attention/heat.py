"""Where the words of a prompt are looked at from, out of a recorded run."""

from __future__ import annotations

from typing import Literal

import torch
from einops import rearrange
from torch import Tensor

from ..errors import CountError
from .records import RunRecord

Scale = Literal["shared", "per word"]
WordTokens = tuple[str, tuple[int, ...]]


def find_words(record: RunRecord, asked: str) -> tuple[WordTokens, ...]:
    """The words to show.

    Args:
        asked: words separated by commas; empty for the counted nouns; "all" for every word of the prompt.

    Returns:
        Each word with its token positions.

    Raises:
        CountError: a word is not in the prompt.
    """
    nouns = tuple(zip(record.nouns, record.noun_tokens, strict=True))
    wanted = [word.strip() for word in asked.split(",") if word.strip()]
    if not wanted:
        return nouns
    if wanted == ["all"]:
        return record.words or nouns
    known = {word.lower(): (word, positions) for word, positions in (*record.words, *nouns)}
    missing = [word for word in wanted if word.lower() not in known]
    if missing:
        raise CountError(f"'{missing[0]}' is not in the prompt; the prompt has: {', '.join(known)}")
    return tuple(known[word.lower()] for word in wanted)


def word_heat(record: RunRecord, words: tuple[WordTokens, ...]) -> Tensor:
    """Mean attention to each word over the run: (B, k, h, w), each value the share of a pixel's attention, 0 to 1."""
    cross = record.cross_attention.float()
    heat = torch.stack([cross[..., list(positions)].sum(-1) for _, positions in words], dim=1)
    return rearrange(heat, "b k (h w) -> b k h w", h=record.grid[0])


def noun_heat_over_time(record: RunRecord) -> Tensor:
    """Attention to each counted noun at each recorded step: (steps, B, k, h, w)."""
    heat = torch.stack([step.nouns.float() for step in record.steps])
    return rearrange(heat, "s b k (h w) -> s b k h w", h=record.grid[0])


def scaled(heat: Tensor, scale: Scale) -> Tensor:
    """Stretch maps to 0..1 for showing.

    Args:
        heat: (B, k, h, w).
        scale: "shared" stretches all maps of a picture alike, so that words compare; "per word" each by itself.
    """
    axes = (1, 2, 3) if scale == "shared" else (2, 3)
    low, high = heat.amin(axes, keepdim=True), heat.amax(axes, keepdim=True)
    return (heat - low) / (high - low).clamp_min(1e-8)
