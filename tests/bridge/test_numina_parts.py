"""The parts of NUMINA Count Guide: rows computed anew, places in the schedule, layers to read, saved model calls."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import comfy.ldm.modules.attention as comfy_attention
import comfy.model_sampling
import comfy.samplers
import pytest
import torch
from headcount.bridge.capture import as_bias
from headcount.bridge.numina.biased_rows import arguments_of, write_rows
from headcount.bridge.numina.clock import clock_of, step_of
from headcount.bridge.numina.first_run_cache import FirstRunCache
from headcount.bridge.numina.layout_reading import PictureReading
from headcount.bridge.numina.reference_layers import LayerList
from headcount.bridge.numina.window import window_of
from headcount.core.attention.calls import AttentionCall
from headcount.core.attention.records import recorded_maps
from headcount.core.errors import CountError
from headcount.core.numina import PAPER, ROBUST, Preset
from headcount.core.numina.schedule import delta, time_of_sigma
from headcount.core.numina.settings import GuidanceSettings
from torch import Tensor

HEADS, WIDTH, ROWS, KEYS = 3, 8, 20, 7


class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
    """What ComfyUI samples a rectified flow by."""


def flow(shift: float) -> Flow:
    sampling = Flow()
    sampling.set_parameters(shift=shift, multiplier=1000)
    return sampling


def tokens(count: int, as_heads: bool, seed: int) -> Tensor:
    shape = (2, HEADS, count, WIDTH) if as_heads else (2, count, HEADS * WIDTH)
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("as_heads", [False, True])
@pytest.mark.parametrize("out_as_heads", [False, True])
@pytest.mark.parametrize("mask", [None, "float", "bool", "rows"])
def test_rows_equal_a_dense_mask(as_heads: bool, out_as_heads: bool, mask: str | None) -> None:
    """NUMINA's own way is a mask over all rows; only those that differ are computed anew, on top of any backend."""
    masks = {
        None: None,
        "float": torch.randn(2, 1, 1, KEYS),
        "bool": torch.rand(2, 1, 1, KEYS) > 0.3,
        "rows": torch.randn(2, HEADS, ROWS, KEYS),
    }
    given = masks[mask]
    q, k, v = (tokens(count, as_heads, seed) for seed, count in enumerate((ROWS, KEYS, KEYS)))
    kwargs = {"skip_reshape": as_heads, "skip_output_reshape": out_as_heads}
    attention = comfy_attention.attention_pytorch
    out = attention(q, k, v, HEADS, mask=given, **kwargs)
    bias = torch.zeros(ROWS, KEYS)
    rows = torch.tensor([1, 4, 19])
    bias[rows] = torch.randn(3, KEYS) * 4
    whole = torch.zeros(2, HEADS, ROWS, KEYS)
    whole[1] += bias
    extra = as_bias(given, q)
    wanted = attention(q, k, v, HEADS, mask=whole if extra is None else whole + extra, **kwargs)
    arguments = arguments_of(q, k, v, HEADS, extra, kwargs)
    write_rows(out, arguments, 1, rows, bias[rows])
    assert torch.allclose(out, wanted, atol=1e-5)


def test_grouped_keys_and_a_scale_of_its_own() -> None:
    """Newer versions of ComfyUI hand both to the attention function."""
    q, k, v = torch.randn(1, 4, ROWS, WIDTH), torch.randn(1, 2, KEYS, WIDTH), torch.randn(1, 2, KEYS, WIDTH)
    kwargs = {"skip_reshape": True, "scale": 0.5, "enable_gqa": True}
    arguments = arguments_of(q, k, v, 4, None, kwargs)
    out, bias = torch.zeros(1, ROWS, 4 * WIDTH), torch.randn(ROWS, KEYS)
    write_rows(out, arguments, 0, torch.arange(ROWS), bias)
    wanted = torch.nn.functional.scaled_dot_product_attention(q, k, v, bias, scale=0.5, enable_gqa=True)
    assert torch.allclose(out, wanted.transpose(1, 2).flatten(2), atol=1e-5)


@pytest.mark.parametrize("scheduler", ["simple", "normal", "beta", "karras"])
@pytest.mark.parametrize("steps", [2, 4, 8, 20, 50])
def test_steps_are_found_by_their_noise(scheduler: str, steps: int) -> None:
    sampling = flow(5.0)
    sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, steps)
    options = [{"sigmas": sigma[None], "sample_sigmas": sigmas} for sigma in sigmas[:-1]]
    assert [step_of(own) for own in options] == list(range(len(sigmas) - 1))
    between = {"sigmas": (sigmas[:1] + sigmas[1:2]) / 2, "sample_sigmas": sigmas}
    assert step_of(between) == 0, "some samplers ask between two steps"


def test_the_authors_schedule() -> None:
    """50 steps at shift 5: t* is step 20, and the fading is that of the release, by steps and by noise level."""
    sampling = flow(5.0)
    shares = torch.arange(51) / 50
    sigmas = 5 * (1 - shares) / (1 + 4 * (1 - shares))
    for by_noise in (False, True):
        clock = clock_of(sampling, sigmas, 0.4, by_noise, is_wan=True)
        assert clock.reference == 20
        assert clock.places == pytest.approx([float(step) for step in range(50)], abs=0.06)
    assert [time_of_sigma(float(sigma)) for sigma in sigmas[:-1]] == pytest.approx(clock.places, abs=0.06)
    assert [delta(place, GuidanceSettings()) for place in clock.places] == pytest.approx(
        [delta(step, GuidanceSettings()) for step in range(50)], abs=0.05
    )


@pytest.mark.parametrize("shift", [1.0, 3.0, 5.0, 8.0])
def test_noise_level_is_the_same_for_every_shift_of_wan(shift: float) -> None:
    sampling = flow(shift)
    sigmas = comfy.samplers.calculate_sigmas(sampling, "simple", 30)
    clock = clock_of(sampling, sigmas, 0.4, by_noise=True, is_wan=True)
    assert clock.reference is not None
    assert sigmas[clock.reference] <= 0.883 < sigmas[clock.reference - 1] + 1e-3 or clock.reference == 1


def test_runs_that_begin_late_or_are_short() -> None:
    sampling = flow(5.0)
    whole = comfy.samplers.calculate_sigmas(sampling, "simple", 20)
    assert clock_of(sampling, whole[12:], 0.4, False, False).reference is None, "behind the reference step"
    assert clock_of(sampling, whole[4:], 0.4, False, False).reference == 4, "by noise: step 8 of the whole schedule"
    assert clock_of(sampling, whole[[0, -1]], 0.4, False, False).reference is None, "one step"
    assert clock_of(sampling, whole[[0, 5, 12, -1]], 0.05, False, False).reference == 1, (
        "layers are seen in a first step"
    )


def call(layer: str, grid: tuple[int, int], kind: Any = "cross") -> AttentionCall:
    return AttentionCall(layer, kind, grid, torch.zeros(1, 1, grid[0] * grid[1], 2), torch.zeros(1, 1, 5, 2))


def layers(*grids: int, kind: Any = "cross") -> LayerList:
    found = LayerList()
    for index, side in enumerate(grids):
        found.add(call(f"block.{index}", (side, side), kind))
    return found


def test_layers_to_read() -> None:
    assert layers(*[8] * 30).chosen(-1, True, True) == ("block.15",)
    assert layers(*[8] * 40).chosen(-1, True, True) == ("block.15",)
    assert layers(*[8] * 12).chosen(-1, True, True) == ("block.6",)
    assert layers(*[8] * 12).chosen(3, True, True) == ("block.3",)
    unet = layers(64, 64, 32, 32, 16, 32, 32, 64)
    assert unet.chosen(-1, False, True) == ("block.2", "block.3", "block.5", "block.6")
    assert unet.chosen(-1, False, False) == ("block.5",)
    assert layers(64, 48).chosen(-1, False, False) == ("block.1",), "nothing is small enough: the smallest"
    with pytest.raises(CountError, match=r"reference_layer is 12, but this model has 3 .* 0 to 2; -1 chooses one"):
        layers(8, 8, 8).chosen(12, True, True)
    assert layers(8, 8, kind="self").grids == {}


def shown(side: int, frames: int, text: int) -> list[AttentionCall]:
    """Two layers of a video with two things, that mask one token."""
    generator = torch.Generator().manual_seed(0)
    codes = torch.randn(2, text, WIDTH, generator=generator)
    thing = torch.zeros(frames, side, side, dtype=torch.long)
    thing[:, 2:6, 2:6], thing[:, 9:13, 8:12] = 1, 2
    bias = torch.zeros(1, 1, 1, text).index_fill(3, torch.tensor([text - 1]), -torch.inf)
    calls = []
    for layer in range(2):
        noise = torch.randn(1, HEADS, thing.numel(), WIDTH, generator=generator)
        cells = 2 * codes[layer, thing.flatten()] + 0.3 * noise
        keys = codes[layer].expand(1, HEADS, -1, -1)
        for kind, own in (("self", cells), ("cross", keys)):
            masked = bias if kind == "cross" else None
            calls.append(AttentionCall(f"block.{layer}", kind, (side, side), cells, own, bias=masked, frames=frames))
    return calls


def read(calls: list[AttentionCall], frames: int, text: int) -> PictureReading:
    reading = PictureReading(((1,), (2, 3)), (2, 1), text)
    for one in calls:
        reading.add(one, 0, range(frames))
    return reading


@pytest.mark.parametrize("preset", [ROBUST, PAPER])
def test_layouts_do_not_hang_on_the_maps(preset: Preset, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the viewer is shown has the nouns' mean response in it, which then is not computed again."""
    calls = shown(side=16, frames=2, text=5)
    expected = read(calls, 2, 5).layouts(preset)
    reading = read(calls, 2, 5)
    maps = reading.maps()
    if preset is ROBUST:
        monkeypatch.setattr("headcount.bridge.numina.layout_reading.noun_response", None)
    found = reading.layouts(preset, maps)
    assert expected.counts.any()
    assert torch.equal(found.before, expected.before) and torch.equal(found.after, expected.after)


def test_maps_are_those_of_each_frame() -> None:
    calls = shown(side=16, frames=2, text=5)
    maps = read(calls, 2, 5).maps().maps
    assert maps.cross_attention.shape == (2, 256, 5) and maps.self_attention.shape == (2, 256, 256)
    for frame in range(2):
        cells = slice(256 * frame, 256 * (frame + 1))
        queries = [replace(one, queries=one.queries[:, :, cells], frames=1) for one in calls]
        alone = recorded_maps([replace(one, keys=one.queries) if one.kind == "self" else one for one in queries])
        torch.testing.assert_close(maps.cross_attention[frame].float(), alone.cross_attention[0], atol=1e-3, rtol=1e-3)
        torch.testing.assert_close(maps.self_attention[frame].float(), alone.self_attention[0], atol=1e-3, rtol=1e-3)


def test_windows() -> None:
    frames = SimpleNamespace(index_list=[4, 5, 6], dim=2)
    items = SimpleNamespace(index_list=[2, 3], dim=0)
    shape = (1, 16, 9, 4, 4)
    assert window_of({"context_window": frames}, 1, 3, shape).frames == (4, 5, 6)
    assert window_of({"context_window": frames}, 1, 3, shape).total == 9
    anchored = SimpleNamespace(index_list=[4, 5, 6], dim=2, causal_anchor_index=3)
    assert window_of({"context_window": anchored}, 1, 4, shape).frames == (3, 4, 5, 6)
    assert window_of({"context_window": items}, 2, 1, (4, 4, 8, 8)).items == (2, 3)
    assert window_of({}, 2, 3, shape) == window_of({"context_window": None}, 2, 3, shape)
    assert window_of({}, 2, 3, shape).items == (0, 1)


def smooth_run(cache: FirstRunCache, model: Callable[[Tensor], Tensor], steps: int) -> tuple[Tensor, int]:
    """Euler on a model, positive and negative in calls of their own."""
    sigmas, x, asked = torch.linspace(1, 0, steps + 1), torch.ones(1, 4, 3, 3), []

    def forward(x: Tensor, *_: Any, **__: Any) -> Tensor:
        asked.append(1)
        return model(x)

    for step in range(steps):
        options = {"sigmas": sigmas[step : step + 1], "sample_sigmas": sigmas}
        answers = [cache(forward, x, None, {**options, "uuids": (who,)}) for who in ("one", "other")]
        x = x + (sigmas[step + 1] - sigmas[step]) * (answers[0] + answers[1]) / 2
    return x, len(asked)


def test_cache_saves_calls_where_little_changes() -> None:
    cache = FirstRunCache(steps=50, reference=20)
    cached, asked = smooth_run(cache, lambda x: 2 + 0.1 * x, 50)
    full, all_asked = smooth_run(FirstRunCache(50, 0), lambda x: 2 + 0.1 * x, 50)
    assert all_asked == 100 and asked == 100 - cache.skipped
    assert 10 <= cache.skipped <= 20, "never before step 10, never from step 20 on, both conditionings alike"
    assert torch.allclose(cached, full, atol=5e-2)


def test_cache_computes_where_much_changes() -> None:
    cache = FirstRunCache(steps=50, reference=20)
    generator = torch.Generator().manual_seed(0)
    smooth_run(cache, lambda x: torch.randn(x.shape, generator=generator), 50)
    assert cache.skipped == 0
