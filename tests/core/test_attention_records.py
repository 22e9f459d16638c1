"""What a run leaves for the viewer."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from headcount.core.attention.call_sums import MAX_SELF_PIXELS, RecordedMaps, recorded_maps
from headcount.core.attention.mean_maps import AttentionMaps, aggregate, mean_over_layers
from headcount.core.attention.records import RunRecorder

from ..helpers.maps import random_call, random_maps

WORDS = (("red", (1,)), ("circles", (2, 3)), ("stars", (4,)))
SAMPLES = torch.randn(2, 4, 8, 8)


def recorder() -> RunRecorder:
    return RunRecorder(("circles", "stars"), ((2, 3), (4,)), (3, 2), WORDS)


def as_recorded(maps: AttentionMaps) -> RecordedMaps:
    return RecordedMaps(maps.cross_attention, maps.grid, maps.self_attention, maps.grid)


def test_means_over_the_steps() -> None:
    steps = [random_maps((4, 6), 7, seed, batch=2, dtype=torch.float32) for seed in range(3)]
    running = recorder()
    for index, maps in enumerate(steps):
        running.add(index, 1.0 - index / 3, as_recorded(maps), torch.tensor([1.0, 2.0]) * index)
    record = running.finish(SAMPLES)
    cross = torch.stack([maps.cross_attention for maps in steps]).mean(0)
    own = torch.stack([maps.self_attention for maps in steps]).mean(0)
    torch.testing.assert_close(record.cross_attention.float(), cross, atol=1e-3, rtol=1e-2)
    torch.testing.assert_close(record.self_attention.float(), own, atol=1e-3, rtol=1e-2)
    assert (record.grid, record.self_grid, record.words) == ((4, 6), (4, 6), WORDS)
    assert (record.nouns, record.noun_tokens, record.counts) == (("circles", "stars"), ((2, 3), (4,)), (3, 2))
    assert [step.step for step in record.steps] == [0, 1, 2]
    assert record.steps[1].sigma == pytest.approx(2 / 3)
    assert record.steps[2].instance_loss.tolist() == [2.0, 4.0] and record.steps[2].semantic_loss is None
    for step, maps in zip(record.steps, steps, strict=True):
        expected = torch.stack([maps.cross_attention[..., 2:4].sum(-1), maps.cross_attention[..., 4]], dim=1)
        torch.testing.assert_close(step.nouns.float(), expected, atol=1e-3, rtol=1e-2)


def test_compact_detached_and_on_the_cpu() -> None:
    maps = random_maps((4, 4), 7, 0, dtype=torch.float32)
    running = recorder()
    running.add(
        0,
        1.0,
        as_recorded(AttentionMaps(maps.self_attention.requires_grad_(), maps.cross_attention.requires_grad_(), (4, 4))),
    )
    samples = torch.randn(1, 4, 4, 4)
    record = running.finish(samples)
    kept = [record.cross_attention, record.self_attention, record.samples, record.steps[0].nouns]
    assert all(value.dtype == torch.float16 and not value.requires_grad for value in kept)
    assert all(value.device.type == "cpu" for value in kept)
    samples.zero_()
    assert record.samples.abs().sum() > 0, "the record has samples of its own"
    with pytest.raises(dataclasses.FrozenInstanceError):
        record.grid = (1, 1)


@pytest.mark.parametrize("grid", [(40, 40), (64, 20), (33, 31), (5, 7)])
def test_fine_self_attention_is_pooled(grid: tuple[int, int]) -> None:
    calls = [random_call("self", grid, 1, batch=1), random_call("cross", grid, 2, batch=1)]
    maps = recorded_maps(calls)
    pixels = grid[0] * grid[1]
    assert maps.self_grid == (grid if pixels <= MAX_SELF_PIXELS else ((grid[0] + 1) // 2, (grid[1] + 1) // 2))
    sums = maps.self_attention.sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums))
    assert maps.grid == grid and maps.cross_attention.shape == (1, pixels, 7), "cross-attention keeps its resolution"
    running = recorder()
    running.add(0, 1.0, maps)
    whole = running.finish(SAMPLES[:1]).maps()
    assert whole.grid == maps.self_grid and whole.cross_attention.shape[1] == maps.self_attention.shape[1]


def test_each_kind_on_its_own_grid() -> None:
    """A model with fine cross-attention and coarse self-attention needs no matrix over the fine grid."""
    calls = [random_call("self", (4, 6), 1), random_call("cross", (8, 12), 2), random_call("cross", (4, 6), 3)]
    maps = recorded_maps(calls)
    assert (maps.grid, maps.self_grid) == ((8, 12), (4, 6))
    torch.testing.assert_close(maps.self_attention, aggregate(calls, (4, 6)).self_attention)
    torch.testing.assert_close(maps.cross_attention, mean_over_layers(calls, "cross", (8, 12)))


def test_nothing_recorded() -> None:
    assert recorder().finish(SAMPLES) is None
