"""Soft masks of instances."""

from __future__ import annotations

import torch
from headcount.core.attention.mean_maps import AttentionMaps
from headcount.core.attention.noun_pixels import cluster_pixels, foreground
from headcount.core.isac.masks import instance_masks
from hypothesis import given, settings
from hypothesis import strategies as st

from ..helpers.maps import random_maps


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), instances=st.integers(1, 5), item=st.integers(0, 1))
def test_each_pixel_sums_over_a_clusters_pixels(seed: int, instances: int, item: int) -> None:
    maps = random_maps((4, 5), 6, seed, batch=2)
    tokens = ((1,), (3, 4))
    masks, pixels = instance_masks(maps, item, tokens, instances)
    own, cross = maps.self_attention[item], maps.cross_attention[item]
    spread = torch.stack([own @ cross[:, 1], own @ (cross[:, 3] + cross[:, 4]) / 2], dim=1)
    assert pixels.tolist() == foreground(spread, instances).tolist()
    owner = cluster_pixels(own[pixels][:, pixels], pixels, maps.grid, instances).argmax(1)
    assert masks.shape == (instances, len(pixels))
    for mask, index in zip(masks, range(instances), strict=True):
        for row, pixel in enumerate(pixels.tolist()):
            expected = sum(float(own[pixel, other]) for other in pixels[owner == index].tolist())
            assert abs(float(mask[row]) - expected) < 1e-12
    # Rows of attention sum to 1, so all masks together never take more than all of it.
    assert float(masks.sum(0).max()) <= 1 + 1e-12


def test_separate_blocks_become_separate_masks() -> None:
    """Two groups of pixels that only look at themselves share nothing."""
    own = torch.zeros(1, 16, 16, dtype=torch.float64)
    left, right = [0, 1, 4, 5], [10, 11, 14, 15]
    for group in (left, right):
        own[0, [[p] for p in group], group] = 0.25
    cross = torch.zeros(1, 16, 2, dtype=torch.float64)
    cross[0, left + right, 1] = 1.0
    masks, pixels = instance_masks(AttentionMaps(own, cross, (4, 4)), 0, ((1,),), 2)
    assert pixels.tolist() == left + right
    assert sorted(masks.tolist()) == [[0.0] * 4 + [1.0] * 4, [1.0] * 4 + [0.0] * 4]


def test_gradient_flows_through_self_attention_only() -> None:
    maps = random_maps((3, 3), 4, 1)
    own, cross = maps.self_attention.requires_grad_(), maps.cross_attention.requires_grad_()
    masks, _ = instance_masks(AttentionMaps(own, cross, (3, 3)), 0, ((1,),), 2)
    masks.square().sum().backward()
    assert own.grad.abs().sum() > 0 and cross.grad is None
