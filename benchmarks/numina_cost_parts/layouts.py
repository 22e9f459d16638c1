"""What reading a layout takes: frames that show three things and two, in attention of the size of Wan 2.1 1.3B."""

from __future__ import annotations

import statistics
from dataclasses import dataclass

import torch
from headcount.core.attention import Grid
from headcount.core.numina import (
    PAPER,
    RELEASE,
    ROBUST,
    Layouts,
    Preset,
    Reading,
    noun_response,
    read_layouts,
)
from headcount.core.numina.masks import disc
from headcount.core.numina.published import reading as published_reading
from headcount.core.numina.robust import reading as robust_reading
from headcount.core.numina.robust.refinement import NounInstances
from torch import Tensor

from ..lab.measures import Parts, Wait, seconds_in, seconds_of
from ..lab.tables import table

METHODS = {"robust": ROBUST, "paper": PAPER, "release": RELEASE}
ASKED = (3, 2)
LAYOUT_BAR = 0.1  # seconds of one frame, on two threads
PARTS: dict[str, Parts] = {
    "robust": {
        "noun cells": ((robust_reading, "find_nouns"),),
        "scores": ((robust_reading, "instance_features"),),
        "proposals": ((robust_reading, "split_at_dips"), (robust_reading, "split_by_attention")),
        "refinement": ((robust_reading, "refine_video"), (NounInstances, "of")),
    },
    "published": {
        "noun cells": ((published_reading, "focus_mask"),),
        "scores": ((published_reading, "best_heads"),),
        "proposals": ((published_reading, "clusters"),),
        "refinement": ((published_reading, "refine_frames"),),
    },
}
_MIDDLES = ((0.25, 0.2), (0.25, 0.5), (0.25, 0.8), (0.75, 0.3), (0.75, 0.7))  # of the things, as shares of the frame
_NOUN_OF = (0, 0, 0, 1, 1)
_COLUMNS = ((2,), (5,))


@dataclass(frozen=True)
class Shown:
    """What one layer shows of a video.

    Attributes:
        queries, keys: (F, H, P, d) of self-attention.
        cross: (F, H, P, d) queries that look at the text.
        text: (H, T, d) keys of the text.
    """

    queries: Tensor
    keys: Tensor
    cross: Tensor
    text: Tensor
    grid: Grid


@dataclass(frozen=True)
class LayoutCost:
    """Seconds of one reading, and of its parts; `found` things of each noun in the first frame."""

    method: str
    seconds: float
    parts: dict[str, float]
    found: tuple[int, ...]


def shown(frames: int, grid: Grid, heads: int, width: int, tokens: int, device: torch.device) -> Shown:
    """Attention to five things: cells of one look at one another in every head, and at their noun."""
    generator = torch.Generator().manual_seed(0)
    owner = _owners(grid)
    kinds = torch.randn(heads, len(_MIDDLES) + 1, width, generator=generator) * 0.6
    own = kinds[:, owner].expand(frames, -1, -1, -1)
    queries, keys = (own + torch.randn(own.shape, generator=generator) * 0.3 for _ in range(2))
    text = torch.randn(heads, tokens, width, generator=generator)
    noun = torch.tensor([*(_COLUMNS[number][0] for number in _NOUN_OF), 0])[owner]
    cross = text[:, noun].expand(frames, -1, -1, -1) * 0.6 + torch.randn(own.shape, generator=generator) * 0.3
    return Shown(*(part.to(device) for part in (queries, keys, cross, text)), grid)


def _owners(grid: Grid) -> Tensor:
    """(P,) which thing a cell shows, the last number for none; discs as large as those that the paper adds."""
    owner = torch.full(grid, len(_MIDDLES))
    shape = disc(max(1, min(grid) // 6))
    for number, (row, column) in enumerate(_MIDDLES):
        top, left = int(row * grid[0]) - shape.shape[0] // 2, int(column * grid[1]) - shape.shape[1] // 2
        owner[top : top + shape.shape[0], left : left + shape.shape[1]][shape] = number
    return owner.flatten()


def read(video: Shown, preset: Preset) -> Layouts:
    """The layouts that a guided run reads."""
    nouns = noun_response(video.cross, video.text, None, _COLUMNS, preset.layout)
    return read_layouts(Reading(video.queries, video.keys, nouns, video.grid), ASKED, preset.layout)


def layout_costs(video: Shown, rounds: int, wait: Wait) -> list[LayoutCost]:
    """What each method takes to read the video, median of some rounds."""
    return [_cost(video, name, preset, rounds, wait) for name, preset in METHODS.items()]


def _cost(video: Shown, name: str, preset: Preset, rounds: int, wait: Wait) -> LayoutCost:
    found = read(video, preset).counts[:, 0]
    with seconds_in(PARTS[preset.layout.reader], wait) as spent:
        seconds = [seconds_of(lambda: read(video, preset), wait) for _ in range(rounds)]
    parts = {label: sum(calls) / rounds for label, calls in spent.items()}
    rest = sum(seconds) / rounds - sum(parts.values())
    return LayoutCost(
        name, statistics.median(seconds), {"noun response": rest, **parts}, tuple(int(own) for own in found)
    )


def layouts_table(costs: list[LayoutCost]) -> list[str]:
    """What reading takes, in milliseconds."""
    header = ["method", "whole", "against the bar", *costs[0].parts, "found"]
    cells = [
        [
            cost.method,
            f"{cost.seconds * 1e3:.0f} ms",
            f"{cost.seconds / LAYOUT_BAR:.2f}x",
            *(f"{value * 1e3:.1f}" for value in cost.parts.values()),
            " and ".join(map(str, cost.found)),
        ]
        for cost in costs
    ]
    return table(header, cells)
