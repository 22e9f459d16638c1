"""Instances out of attention maps: which pixels belong together, and to which noun."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from einops import rearrange
from torch import Tensor
from torch.nn.functional import max_pool2d

from .clusters import kmeans
from .mean_maps import AttentionMaps
from .noun_pixels import cluster_pixels, foreground, noun_columns


@dataclass(frozen=True)
class Box:
    """A rectangle in pixels: left and top edge, width and height."""

    x: int
    y: int
    width: int
    height: int


def self_attention_regions(maps: AttentionMaps, item: int, tokens: tuple[tuple[int, ...], ...], regions: int) -> Tensor:
    """What the model's self-attention holds together, among the pixels that look at the counted nouns.

    Args:
        maps: maps of a batch.
        item: which picture.
        tokens: per noun, its token positions.
        regions: how many regions to tell apart, at least 1.

    Returns:
        (regions, h, w) masks of 0 and 1 that do not overlap; empty clusters are all 0.
    """
    attention = maps.self_attention[item]
    spread = attention @ noun_columns(maps.cross_attention[item], tokens)
    pixels = foreground(spread, regions)
    clusters = cluster_pixels(attention[pixels][:, pixels], pixels, maps.grid, regions)
    masks = torch.zeros(regions, attention.shape[0], dtype=torch.float32)
    masks[:, pixels.cpu()] = clusters.T.float().cpu()
    return rearrange(masks, "n (h w) -> n h w", h=maps.grid[0])


def noun_instances(heat: Tensor, threshold: float, least_distance: int = 1) -> Tensor:
    """Separate the things that one noun's map shows: every peak is one, and owns the pixels that are nearest to it.

    Args:
        heat: (h, w) attention to the noun.
        threshold: a pixel belongs to a thing when it is at least this share of the way from the map's median to its
            most; 0 to 1.
        least_distance: two peaks are further apart than this many pixels in x or in y.

    Returns:
        (N, h, w) masks of 0 and 1 that do not overlap, strongest peak first; N is 0 for a flat map.
    """
    height = from_median(heat)
    window = 2 * least_distance + 1
    highest = max_pool2d(height[None, None], window, stride=1, padding=least_distance)[0, 0]
    above = height >= threshold
    peaks = _one_per_plateau(((height == highest) & above).nonzero(), least_distance)
    if heat.amax() <= heat.median() or len(peaks) == 0:
        return heat.new_zeros((0, *heat.shape))
    peaks = peaks[height[peaks[:, 0], peaks[:, 1]].argsort(descending=True)]
    return _nearest(above, peaks)


def prominence(heat: Tensor, masks: Tensor) -> Tensor:
    """How far each instance stands out: its strongest pixel's share of the way from the map's median to its most.

    Args:
        heat: (h, w) attention to the noun.
        masks: (N, h, w) of 0 and 1, none empty.

    Returns:
        (N,) in 0..1; 1 for the strongest instance of the map, 0 everywhere for a flat one.
    """
    return (from_median(heat).clamp(0, 1) * masks.to(heat)).amax((-2, -1))


def outline_levels(heat: Tensor, masks: Tensor, threshold: float) -> Tensor:
    """Levels that are positive inside an instance and negative outside: enlarged, their zero line is its smooth outline.

    They are the mean of the mask, which keeps small instances, and of the heat, which says where in a pixel the edge is.

    Args:
        heat: (h, w) attention to the noun.
        masks: (N, h, w) of 0 and 1 that do not overlap, from `noun_instances` or `split_into`.
        threshold: as in `noun_instances`.

    Returns:
        (N, h, w) in -0.5..0.5: half of what the heat is above the threshold and of the mask less 0.5. Where another instance
        is, the heat counts as far below the threshold as it is above.
    """
    level = (from_median(heat) - threshold).clamp(-0.5, 0.5)
    return (torch.where(masks > 0, level.clamp_min(0), -level.abs()) + masks - 0.5) / 2


def from_median(heat: Tensor) -> Tensor:
    """(h, w) shares of the way from the map's median, 0, to its most, 1; 0 or less everywhere for a flat map."""
    floor = heat.median()
    return (heat - floor) / (heat.amax() - floor).clamp_min(1e-8)


def _one_per_plateau(peaks: Tensor, least_distance: int) -> Tensor:
    """Peaks that lie next to each other are equally high, and one thing: (n, 2) rows and columns to as many or fewer."""
    plateaus: list[list[list[int]]] = []
    for row, column in peaks.tolist():
        joined, apart = [[row, column]], []
        for plateau in plateaus:
            near = any(max(abs(row - y), abs(column - x)) <= least_distance for y, x in plateau)
            if near:
                joined = plateau + joined
            else:
                apart.append(plateau)
        plateaus = [*apart, joined]
    return peaks.new_tensor([plateau[len(plateau) // 2] for plateau in plateaus]).reshape(-1, 2)


def split_into(heat: Tensor, threshold: float, instances: int) -> Tensor:
    """Separate a noun's map into a given number of things by K-means on the places of its pixels.

    Args:
        heat: (h, w) attention to the noun.
        threshold: as in `noun_instances`; it is lowered where it leaves fewer pixels than instances.
        instances: N, at least 1.

    Returns:
        (N, h, w) masks of 0 and 1 that do not overlap.
    """
    flat = heat.flatten()
    floor = flat.median()
    above = flat >= floor + threshold * (flat.amax() - floor)
    if int(above.sum()) < instances:
        above = torch.zeros_like(above).index_fill(0, flat.topk(min(instances, len(flat))).indices, True)
    pixels = above.nonzero().squeeze(1)
    places = torch.stack([pixels // heat.shape[1], pixels % heat.shape[1]], dim=1).to(heat)
    clusters = kmeans(places, instances)
    masks = heat.new_zeros((instances, heat.numel()))
    masks[:, pixels] = clusters.T
    return masks.reshape(instances, *heat.shape)


def _nearest(above: Tensor, peaks: Tensor) -> Tensor:
    rows = torch.arange(above.shape[0], device=above.device).view(1, -1, 1)
    columns = torch.arange(above.shape[1], device=above.device).view(1, 1, -1)
    distance = (rows - peaks[:, 0].view(-1, 1, 1)).square() + (columns - peaks[:, 1].view(-1, 1, 1)).square()
    owner = distance.argmin(0)
    return torch.stack([(owner == index) & above for index in range(len(peaks))]).float()


def bounding_box(mask: Tensor) -> Box | None:
    """The smallest box around a (H, W) mask of 0 and 1, or None when it is empty."""
    rows, columns = mask.any(1).nonzero().flatten(), mask.any(0).nonzero().flatten()
    if len(rows) == 0:
        return None
    left, top = int(columns[0]), int(rows[0])
    return Box(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)
