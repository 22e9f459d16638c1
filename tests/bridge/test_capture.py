"""Which attention calls are recorded, and of which conditioning."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import comfy.samplers
import pytest
import torch
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options, override_of
from headcount.bridge.families.family import ModelInputs
from headcount.bridge.families.joint import JointReader, TokenOrder
from headcount.bridge.families.table import family_of
from headcount.bridge.families.unet import UNetReader, layer_name
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.attention.call_list import CallList
from headcount.core.attention.mean_maps import aggregate

from ..helpers.families import SMALL, built, small
from ..helpers.models import Run, Setup, sample, shapes_setup, tiny_setup


def processed(setup: Setup, x: torch.Tensor) -> tuple[dict[str, Any], dict[str, Any]]:
    conds = {side: comfy.sampler_helpers.convert_cond(getattr(setup, side)) for side in ("positive", "negative")}
    found = comfy.samplers.process_conds(setup.model.model, x, conds, torch.device("cpu"), torch.zeros_like(x))
    return found["positive"][0], found["negative"][0]


def record(setup: Setup, conds: list[list[dict[str, Any]]], x: torch.Tensor, **options: Any) -> Capture:
    setup.model.model.current_patcher = setup.model
    capture = Capture(family_of(setup.model, "a test").reader((x.shape[-2], x.shape[-1])), **options)
    run = hooked_options(setup.model.model_options, capture)
    with torch.inference_mode():
        comfy.samplers.calc_cond_batch(setup.model.model, conds, x, torch.full((len(x),), 0.8), run)
    return capture


def noise(setup: Setup, batch: int = 1, size: tuple[int, int] = (8, 8)) -> torch.Tensor:
    return torch.randn(batch, setup.channels, *size, generator=torch.Generator().manual_seed(0))


def of_tiny(batch: int) -> tuple[Setup, torch.Tensor]:
    return tiny_setup(), noise(tiny_setup(), batch)


def of_shapes(batch: int) -> tuple[Setup, torch.Tensor]:
    return shapes_setup(), noise(shapes_setup(), batch)


def of_family(name: str) -> Callable[[int], tuple[Setup, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    return lambda batch: (built(name), torch.randn(batch, *small(name).shape, generator=generator))


@pytest.mark.parametrize(
    "made_of", [of_tiny, of_shapes, *[pytest.param(of_family(one.name), id=one.name) for one in SMALL]]
)
@pytest.mark.parametrize("batch", [1, 2])
def test_the_chunk_of_one_conditioning(made_of: Callable[[int], tuple[Setup, torch.Tensor]], batch: int) -> None:
    """Cond and uncond share a batch; what is kept of it is what a call with the one conditioning alone gives."""
    made, x = made_of(batch)
    for index, (positive, negative) in enumerate([processed(made, x)] * 2):
        mine = (positive, negative)[index]
        together = record(made, [[positive], [negative]], x, uuid=mine["uuid"])
        alone = record(made, [[mine]], x)
        assert len(together.sink.calls) == len(alone.sink.calls) > 0
        for one, other in zip(together.sink.calls, alone.sink.calls, strict=True):
            assert (one.layer, one.kind, one.grid) == (other.layer, other.kind, other.grid)
            torch.testing.assert_close(one.queries, other.queries, rtol=1e-3, atol=1e-4)
            torch.testing.assert_close(one.keys, other.keys, rtol=1e-3, atol=1e-4)
        one, other = aggregate(together.sink.calls), aggregate(alone.sink.calls)
        torch.testing.assert_close(one.cross_attention, other.cross_attention, rtol=1e-3, atol=1e-5)


def test_separate_calls_give_the_same_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    """With little memory ComfyUI asks about cond and uncond one after the other."""
    setup = tiny_setup()
    found = []
    for need in (0, 1 << 60):
        monkeypatch.setattr(setup.model.model, "memory_required", lambda *_, need=need, **__: need)
        model, maps = with_recorder(setup.model)
        found.append(maps.record_for(sample(model, setup, Run(size=(8, 8))))[0])
    torch.testing.assert_close(found[0].cross_attention, found[1].cross_attention, rtol=1e-2, atol=1e-3)
    torch.testing.assert_close(found[0].self_attention, found[1].self_attention, rtol=1e-2, atol=1e-3)


def test_names_kinds_and_grids_of_a_unet() -> None:
    setup = shapes_setup()
    x = noise(setup, size=(17, 13))
    calls = record(setup, [[processed(setup, x)[0]]], x).sink.calls
    names = [call.layer for call in calls]
    assert names[::2] == names[1::2] and len(set(names)) == len(names) // 2
    assert [call.kind for call in calls] == ["self", "cross"] * (len(calls) // 2)
    assert {call.grid for call in calls} == {(17, 13), (9, 7)}
    assert any(name.startswith("middle.") for name in names)
    for call in calls:
        pixels = call.grid[0] * call.grid[1]
        assert call.queries.shape[2] == pixels
        assert call.keys.shape[2] == (pixels if call.kind == "self" else 32)


def test_recorded_probabilities_are_those_of_the_model() -> None:
    """Queries and keys of a recorded call, put through plain attention, give what the model's own function gave."""
    setup = tiny_setup()
    x = noise(setup)
    capture = Capture(UNetReader((8, 8)))
    outputs: list[torch.Tensor] = []
    values: list[torch.Tensor] = []

    def keep(function, q, k, v, heads, **kwargs) -> torch.Tensor:  # noqa: ANN001
        values.append(v.unflatten(-1, (heads, -1)).transpose(1, 2))
        outputs.append(function(q, k, v, heads, **kwargs))
        return outputs[-1]

    options = hooked_options(setup.model.model_options, capture, keep, keep_previous=False)
    setup.model.model.current_patcher = setup.model
    with torch.inference_mode():
        conds = [[processed(setup, x)[0]]]
        comfy.samplers.calc_cond_batch(setup.model.model, conds, x, torch.full((1,), 0.8), options)
    for call, value, output in zip(capture.sink.calls, values, outputs, strict=True):
        scores = call.queries @ call.keys.transpose(-1, -2) / call.queries.shape[-1] ** 0.5
        expected = (scores.softmax(-1) @ value).transpose(1, 2).flatten(2)
        torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-4)


class Executor:
    """What ComfyUI hands to a wrapper of `apply_model`; gives back the options that it was called with."""

    def __init__(self, class_obj: Any) -> None:
        self.class_obj = class_obj

    def __call__(self, *args: Any, **_: Any) -> Any:
        return args[5]


def test_the_given_options_stay_as_they_are() -> None:
    setup = tiny_setup()
    before = repr(setup.model.model_options)
    hooked_options(setup.model.model_options, Capture(UNetReader((8, 8))))
    assert repr(setup.model.model_options) == before


def test_the_models_own_options_stay_as_they_are() -> None:
    """Other nodes' wrappers hand the same dict on: the slot is filled in a copy."""
    options = hooked_options({}, Capture(UNetReader((8, 8))))
    (wrapper,) = options["transformer_options"]["wrappers"]["apply_model"]["headcount"]
    given: dict[str, Any] = {"block": ("input", 1)}
    executor = Executor(SimpleNamespace(diffusion_model=None))
    seen = wrapper(executor, torch.zeros(1, 4, 8, 8), 0, transformer_options=given)
    assert set(seen) == {"block", "optimized_attention_override"} and set(given) == {"block"}


def feed(capture: Capture, block: int, pixels: int, text: int | None, **options: Any) -> None:
    """One attention call as a U-Net's block makes it; `text` None is self-attention."""
    q, k = torch.zeros(1, pixels, 4), torch.zeros(1, pixels if text is None else text, 4)
    place = {"block": ("input", block), "block_index": 0, **options}
    override_of(capture)(lambda q, k, v, heads, **_: q, q, k, k, 2, transformer_options=place)


def test_a_context_as_long_as_the_image() -> None:
    capture = Capture(UNetReader((4, 4)))
    for block in (1, 2):
        feed(capture, block, 16, None)
        feed(capture, block, 16, 16)
    assert [call.kind for call in capture.sink.calls] == ["self", "cross"] * 2


def test_a_block_whose_self_attention_another_node_replaced() -> None:
    capture = Capture(UNetReader((4, 4)))
    feed(capture, 1, 16, 7)
    feed(capture, 2, 16, None)
    feed(capture, 2, 16, 7)
    assert [call.kind for call in capture.sink.calls] == ["cross", "self", "cross"]


def test_calls_that_are_no_grid_of_the_latent_are_left_out() -> None:
    capture = Capture(UNetReader((4, 4)))
    feed(capture, 1, 13, None)
    assert capture.sink.calls == []
    feed(capture, 1, 15, None, activations_shape=[1, 4, 5, 3])
    assert [call.grid for call in capture.sink.calls] == [(5, 3)], "the model's word counts for more"


def test_another_conditionings_call_is_left_out() -> None:
    capture = Capture(UNetReader((4, 4)), uuid="mine")
    feed(capture, 1, 16, None, uuids=["theirs"])
    assert capture.sink.calls == []
    feed(capture, 2, 16, None, uuids=["mine"])
    assert len(capture.sink.calls) == 1


@pytest.mark.parametrize("order", [(64, 16, 4, 16, 64), (64, 16, 64), (4, 64, 16)])
def test_fine_self_attention_is_left_out(order: tuple[int, ...]) -> None:
    capture = Capture(UNetReader((8, 8)), sink=CallList(16))
    for block, pixels in enumerate(order):
        feed(capture, block, pixels, None)
        feed(capture, block, pixels, 7)
    sizes = [call.queries.shape[2] for call in capture.sink.calls if call.kind == "self"]
    assert sizes == [pixels for pixels in order if pixels <= 16]
    assert len([call for call in capture.sink.calls if call.kind == "cross"]) == len(order)


@pytest.mark.parametrize("order", [(64, 16, 64), (16, 64), (64, 64)])
def test_the_coarsest_is_kept_where_all_are_too_fine(order: tuple[int, ...]) -> None:
    """Otherwise pictures beyond a size could not be recorded at all."""
    capture = Capture(UNetReader((8, 8)), sink=CallList(5))
    for block, pixels in enumerate(order):
        feed(capture, block, pixels, None)
        feed(capture, block, pixels, 7)
    sizes = [call.queries.shape[2] for call in capture.sink.calls if call.kind == "self"]
    assert sizes == [pixels for pixels in order if pixels == min(order)]


def joint_capture(text_calls: int = 0, **options: Any) -> Capture:
    """Of a transformer with 7 text tokens, an 8 x 6 picture and 5 tokens of something else."""
    order = TokenOrder((8, 6), slice(0, 7), slice(7, 55), 60, text_calls)
    capture = Capture(JointReader(lambda _: order), **options)
    with capture.begin(ModelInputs(None, (16, 12), 7, {}, {})):
        return capture


def feed_joint(capture: Capture, tokens: int, mask: torch.Tensor | None = None, **options: Any) -> None:
    qkv = torch.randn(1, 2, tokens, 4)
    override = override_of(capture)
    override(lambda q, *_, **__: q, qkv, qkv, qkv, 2, mask=mask, skip_reshape=True, transformer_options=options)


@pytest.mark.parametrize("rows", [1, 60])
def test_the_bias_of_joint_attention_is_cut_like_its_queries(rows: int) -> None:
    capture, mask = joint_capture(), torch.randn(1, 1, rows, 60)
    feed_joint(capture, 60, mask)
    (call,) = capture.sink.calls
    assert torch.equal(call.bias, mask if rows == 1 else mask[:, :, 7:55])
    assert call.queries.shape[2] == 48 and call.keys.shape[2] == 60


def test_queries_and_keys_are_views() -> None:
    """Nothing is copied: a large model's keys take gigabytes."""
    capture, qkv = joint_capture(), torch.randn(1, 2, 60, 4)
    override_of(capture)(lambda q, *_, **__: q, qkv, qkv, qkv, 2, skip_reshape=True)
    (call,) = capture.sink.calls
    storage = qkv.untyped_storage().data_ptr()
    assert call.queries.untyped_storage().data_ptr() == call.keys.untyped_storage().data_ptr() == storage


def test_attention_over_text_alone_comes_first() -> None:
    capture = joint_capture(text_calls=2)
    for tokens in (48, 48, 48, 60, 59):
        feed_joint(capture, tokens)
    assert [call.kind for call in capture.sink.calls] == ["self", "joint"], "48 text tokens look like 48 image tokens"


def test_layers_are_named_as_the_model_names_them() -> None:
    capture = joint_capture()
    feed_joint(capture, 60, block_type="double", block_index=3)
    feed_joint(capture, 60)
    assert [call.layer for call in capture.sink.calls] == ["double.3", "attention.2"]


def test_on_one_grid_fine_attention_is_thinned() -> None:
    """No coarser layer could stand in for it."""
    capture = joint_capture(sink=CallList(12, one_grid=True))
    for tokens in (48, 60):
        feed_joint(capture, tokens)
    assert [(call.kind, call.grid, call.image_grid) for call in capture.sink.calls] == [
        ("self", (4, 3), (8, 6)),
        ("joint", (4, 3), (8, 6)),
    ]
    assert [call.keys.shape[2] for call in capture.sink.calls] == [48, 60]


def test_a_reader_outside_of_a_model_call_reads_nothing() -> None:
    capture = Capture(JointReader(lambda _: TokenOrder((8, 6), slice(0, 7), slice(7, 55), 55)))
    feed_joint(capture, 55)
    assert capture.sink.calls == [] and capture.seen == 1


def test_tokens_that_come_with_heads() -> None:
    capture = Capture(UNetReader((2, 2)))
    heads = torch.randn(1, 3, 4, 5)
    override_of(capture)(lambda q, *_, **__: q, heads, heads, heads, 3, skip_reshape=True)
    assert capture.sink.calls[0].queries is heads


def test_layer_name_without_a_block() -> None:
    assert layer_name({}) == "model.0.0"
    assert layer_name({"block": ("output", 3), "block_index": 1}) == "output.3.1"


def test_a_picture_too_large_for_fine_self_attention_is_recorded() -> None:
    setup = tiny_setup()
    model, maps = with_recorder(setup.model)
    run = Run(steps=1, size=(72, 68))
    samples = sample(model, setup, run)
    record_of_run, _ = maps.record_for(samples)
    assert record_of_run.grid == (72, 68) and record_of_run.self_attention.shape[1] <= 1024


def test_a_context_that_comfyui_repeats_is_folded_back() -> None:
    """A negative prompt three times as long shares the batch: the prompt's context is repeated to fit."""
    setup = tiny_setup()
    long = [[torch.randn(1, 21, 24, generator=torch.Generator().manual_seed(2)), {}]]
    model, maps = with_recorder(setup.model)
    run = Run(size=(8, 8), cfg=2.0)
    found = maps.record_for(sample(model, setup, run, negative=long))[0]
    assert found.cross_attention.shape[-1] == 7
    sums = found.cross_attention.float().sum(-1)
    torch.testing.assert_close(sums, torch.ones_like(sums), rtol=1e-2, atol=1e-2)
