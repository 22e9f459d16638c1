"""How the maps of a recorded run come about: step by step, layer by layer, and which instances they end in."""

from __future__ import annotations

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import interpolate

from .calls import Grid
from .grids import halved
from .heat import noun_heat_over_time, word_heat
from .instances import from_median, noun_instances, self_attention_regions
from .records import RunRecord

_FINER = 4  # times the maps' grid: outlines of objects are drawn on it
_INSTANCE_THRESHOLD = 0.5  # that of the node Instance Masks


def mean_heat(record: RunRecord, words: int) -> Tensor:
    """Mean attention over the run to the first `words` of the run's words: (B, k, h, w), 0 to 1."""
    return word_heat(record, record.all_words[:words])


def step_heat(record: RunRecord, steps: list[int]) -> Tensor:
    """Attention to the kept words at some of the recorded steps: (steps, B, k, h, w), 0 to 1.

    Runs that were recorded without the small maps of all words show the counted nouns.
    """
    word_maps = [record.steps[step].words for step in steps]
    maps = [own for own in word_maps if own is not None]
    if len(maps) < len(steps) or not maps:
        return noun_heat_over_time(record)[steps]
    return rearrange(torch.stack(maps).float(), "s b k (h w) -> s b k h w", h=record.step_grid[0])


def layer_heat(record: RunRecord) -> Tensor:
    """Attention to the kept words in each of `record.layers`: (layers, B, k, h, w), 0 to 1; layers is 0 without any."""
    height, width = record.step_grid
    if not record.layers:
        return torch.zeros(0, len(record.cross_attention), len(record.kept_words), height, width)
    heat = torch.stack([part.heat.float() for part in record.layers])
    return rearrange(heat, "l b k (h w) -> l b k h w", h=height)


def attention_rows(record: RunRecord, most: int) -> tuple[Tensor, Grid]:
    """Where each pixel looks, on a grid of at most `most` pixels: (B, p, p) whose rows sum to 1, and the grid."""
    grid = halved(record.self_grid, most)
    self_map = record.self_attention.float()
    if grid != record.self_grid:
        self_map = rearrange(_area(self_map, record.self_grid, grid), "b q k -> b k q")
        self_map = rearrange(_area(self_map, record.self_grid, grid), "b k q -> b q k")
    return self_map / self_map.sum(-1, keepdim=True).clamp_min(1e-8), grid


def _area(maps: Tensor, grid: Grid, target: Grid) -> Tensor:
    """Mean over areas of the last axis."""
    pictures = rearrange(maps, "b q (h w) -> b q h w", h=grid[0])
    return interpolate(pictures, size=target, mode="area").flatten(2)


def instance_labels(record: RunRecord, item: int) -> tuple[Tensor, tuple[int, ...]]:
    """The things that the counted nouns' maps show, numbered from 1 in the nouns' order.

    The second half of the recorded steps is read, as Object Masks does. Where two nouns claim a pixel, the one that
    stands out more there has it.

    Returns:
        (H, W) numbers on a grid some times finer than the maps, 0 where nothing is; and per noun, how many there are.
    """
    over_time = noun_heat_over_time(record)[:, item]
    heat = over_time[len(over_time) // 2 :].mean(0)
    size = (record.grid[0] * _FINER, record.grid[1] * _FINER)
    labels, best = torch.zeros(size, dtype=torch.long), torch.zeros(size)
    found: list[int] = []
    for own in heat:
        height = _enlarged(from_median(own)[None], size)[0]
        masks = _enlarged(noun_instances(own, _INSTANCE_THRESHOLD), size) > 0.5
        for number, mask in enumerate(masks, start=sum(found) + 1):
            mine = mask & (height > best)
            labels[mine] = number
        best = torch.where(masks.any(0), torch.maximum(best, height), best)
        found.append(len(masks))
    return labels, tuple(found)


def region_labels(record: RunRecord, item: int) -> Tensor:
    """What one picture's self-attention holds together: (h, w) numbers from 1, 0 where no counted noun is looked at."""
    masks = self_attention_regions(record.maps(), item, record.noun_tokens, sum(record.counts))
    present = masks[masks.any((1, 2))]
    numbers = torch.arange(1, len(present) + 1).view(-1, 1, 1)
    return (present.bool() * numbers).sum(0)


def _enlarged(maps: Tensor, size: Grid) -> Tensor:
    if not len(maps):
        return maps.new_zeros((0, *size))
    return interpolate(maps[None], size=size, mode="bilinear")[0]


def losses(record: RunRecord, item: int) -> dict[str, list[float | None]]:
    """ISAC's losses of one picture at each recorded step; empty where no step was steered."""
    named = {
        "instance": [step.instance_loss for step in record.steps],
        "semantic": [step.semantic_loss for step in record.steps],
    }
    return {
        name: [None if loss is None else float(loss[item]) for loss in values]
        for name, values in named.items()
        if any(loss is not None for loss in values)
    }
