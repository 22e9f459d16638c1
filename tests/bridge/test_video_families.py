"""Every video architecture of the table, on a small model of ComfyUI's own classes that really samples."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from types import SimpleNamespace
from typing import Any

import comfy.context_windows
import comfy.model_base
import comfy.samplers
import comfy.text_encoders.cogvideo
import comfy.text_encoders.cosmos
import comfy.text_encoders.genmo
import comfy.text_encoders.hunyuan_image
import comfy.text_encoders.hunyuan_video
import comfy.text_encoders.lt
import pytest
import torch
from comfy.ldm.wan.ar_model import CausalWanModel
from comfy.ldm.wan.model_wandancer import WanDancerModel
from comfy_extras.nodes_lt import LTXVAddGuide
from headcount.bridge.attention.capture import Capture
from headcount.bridge.attention.hook import hooked_options, users_own
from headcount.bridge.families.table import VIDEO_FAMILIES, family_of
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.prompts.conditionings import counted_conditionings
from headcount.bridge.prompts.token_positions import count_prompt
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.attention.call_list import CallList
from headcount.core.attention.calls import AttentionCall, head_probabilities
from headcount.core.errors import CountError
from headcount.core.prompts.context import context_positions
from torch import Tensor
from transformers import PreTrainedTokenizerFast

from ..helpers.families import POOLED, WIDTH, small
from ..helpers.families import built as built_picture
from ..helpers.family_calls import (
    NODE,
    SIGMA,
    call_model,
    capture_for,
    changed,
    given,
    most_changed,
    noise,
    positive_of,
    random,
)
from ..helpers.models import Run, Setup, sample, sample_latent
from ..helpers.numina_readings import always_wrong
from ..helpers.video_models import VIDEOS, SmallVideo, TextOf, built_video, video
from .test_token_positions import Clip, IdEncoder, text_model

MIXES_TEXT = (
    "Anima",
    "LTX-2",
    "LTX-2.3",
    "MiniMax H3",
    "HunyuanVideo 1",
    "HunyuanVideo 1.5",
    "HunyuanImage 2.1",
    "Mochi",
)
every_model = pytest.mark.parametrize("one", VIDEOS, ids=lambda one: one.name)
te = comfy.text_encoders
Seen = dict[int, tuple[Tensor, Tensor]]


def record(setup: Setup, x: Tensor, **options: Any) -> tuple[Capture, Seen]:
    """One model call with the positive conditioning; every attention's values (B, H, K, d) and output (B, N, H * d)."""
    capture, seen = capture_for(setup, x, **options), Seen()

    def keep(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        value = v if kwargs.get("skip_reshape") else v.unflatten(-1, (heads, -1)).transpose(1, 2)
        output = function(q, k, v, heads, *args, **kwargs)
        rows = output.transpose(1, 2).flatten(2) if kwargs.get("skip_output_reshape") else output
        seen[capture.seen] = (value.clone(), rows.clone())
        return output

    call_model(setup, x, capture, keep)
    return capture, seen


def calls_of(setup: Setup, x: Tensor, **options: Any) -> list[AttentionCall]:
    return record(setup, x, **options)[0].sink.calls


def assert_is_the_models(call: AttentionCall, value: Tensor, output: Tensor) -> None:
    """The call's probabilities, applied to the values, give what the model's own attention gave for these queries."""
    heads = [head_probabilities(call, head) @ value[:, head] for head in range(value.shape[1])]
    rows = output if call.image is None else output[:, call.image]
    torch.testing.assert_close(rows, torch.cat(heads, -1), rtol=1e-3, atol=1e-4)


@every_model
def test_one_family_and_no_picture_family_has_it(one: SmallVideo) -> None:
    model = built_video(one.name).model
    assert sum(family.has(model.model) for family in VIDEO_FAMILIES) == 1
    with pytest.raises(CountError, match=r"^ISAC cannot read the attention of this model .*It works with Stable Diffu"):
        family_of(model, "ISAC")


@every_model
@pytest.mark.parametrize("batch", [1, 2])
def test_recorded_probabilities_are_those_of_the_model(one: SmallVideo, batch: int) -> None:
    """Slices, bias, scale and heads are right: nothing else reproduces the model's own output."""
    capture, seen = record(built_video(one.name), noise(one, batch))
    assert tuple((call.layer, call.kind) for call in capture.sink.calls) == one.calls
    assert capture.seen == len(one.calls) + one.unread
    for call in capture.sink.calls:
        assert (call.frames, call.grid) == (one.frames, one.grid)
        assert call.queries.shape[0] == one.batch(batch) and call.queries.shape[2] == one.tokens
        for kind, tokens in (("self", one.tokens), ("cross", one.text_length)):
            columns = call.columns(kind)
            assert columns is None or call.keys[:, :, columns].shape[2] == tokens
        assert_is_the_models(call, *seen[call.place])


@every_model
@pytest.mark.parametrize("frame", [0, 2])
def test_one_cell_of_one_frame_moves_its_own_token(one: SmallVideo, frame: int) -> None:
    """Frame by frame and row by row: a changed cell of the latent is one query and one key of the first layer."""
    setup, x = built_video(one.name), noise(one)
    row, column, frame = x.shape[-2] - 1, 4, min(frame, one.frames - 1)
    moved = x.clone()
    moved[(..., row, column) if x.ndim == 4 else (..., frame * one.frame_patch, row, column)] += 4
    before, after = (calls_of(setup, latent)[0] for latent in (x, moved))
    height, width = before.grid
    patch = -(-x.shape[-2] // height)
    expected = {(frame * height + row // patch) * width + column // patch}
    columns = before.columns("self")
    assert changed(before.queries, after.queries) == expected
    assert changed(before.keys[:, :, columns], after.keys[:, :, columns]) == expected


@every_model
def test_one_text_token_moves_its_own_key(one: SmallVideo) -> None:
    setup, x = built_video(one.name), noise(one)
    length = min(one.text_length, setup.positive[0][0].shape[1], one.lengths.get("t5xxl", 1024))  # less what pads it
    for token in (0, 2, length - 2):
        text, ids = setup.positive[0][0].clone(), setup.positive[0][1].get("t5xxl_ids")
        if ids is None:
            text[:, token] *= -1.5
            other = given(setup, text)
        else:  # Anima's words
            other = given(setup, t5xxl_ids=ids + 50 * (torch.arange(len(ids)) == token))
        before, after = (
            next(call for call in calls_of(which, x) if call.columns("cross") is not None) for which in (setup, other)
        )
        columns = before.columns("cross")
        keys = [call.keys[:, :, columns] for call in (before, after)]
        assert most_changed(*keys) == token
        if one.name not in MIXES_TEXT:  # there every token hears of the others before
            assert changed(*keys) == {token}


@every_model
def test_positions_of_nouns(one: SmallVideo) -> None:
    setup = built_video(one.name)
    family = family_of(setup.model, NODE, VIDEO_FAMILIES)
    (counted,) = counted_conditionings([positive_of(setup, noise(one))], NODE, family)
    assert counted.target.tokens == one.nouns
    assert counted.text_layout.length == counted.text_layout.own == one.text_length


@every_model
def test_sampling_is_recorded_and_not_changed(one: SmallVideo) -> None:
    """Also with both conditionings in one batch, of which one is kept; and no hook is left on the model."""
    setup = built_video(one.name)
    model, capture = setup.model.clone(), capture_for(setup, noise(one))
    model.model_options = hooked_options(model.model_options, capture, users_own, keep_previous=False)
    plain, recorded = (sample(made, setup, one.run(batch=2)) for made in (setup.model, model))
    assert torch.equal(plain, recorded) and bool(torch.isfinite(plain).all()) and plain.std() > 0.1
    found = [(call.layer, call.kind) for call in capture.sink.calls]
    assert found == list(one.calls) * (len(found) // len(one.calls)) and len(found) >= 3 * len(one.calls)
    modules = list(setup.model.model.diffusion_model.modules())
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in modules)


@pytest.mark.parametrize("one", [one for one in VIDEOS if one.sound], ids=lambda one: one.name)
def test_a_video_with_its_sound_is_recorded_and_guided(one: SmallVideo, monkeypatch: pytest.MonkeyPatch) -> None:
    """Maps belong to the latent of both, as to that of the video alone which goes to the VAE."""
    always_wrong(monkeypatch)
    setup, run = built_video(one.name), one.run()
    plain = sample_latent(setup.model, setup, run).unbind()
    assert [tuple(stream.shape) for stream in plain] == [(1, *one.shape), (1, *one.sound)]
    for node in (with_recorder, lambda model: with_numina(model, NuminaSettings())):
        model, maps = node(setup.model)
        latent = sample_latent(model, setup, run)
        assert all(map(torch.equal, plain, latent.unbind())) == (node is with_recorder)
        for samples in (latent, latent.unbind()[0]):
            record, belongs = maps.record_for(samples)
            assert belongs and len(record.cross_attention) == one.frames and record.grid == one.grid


def test_no_hook_stays_after_an_error() -> None:
    setup, one = built_video("Wan 2.1"), video("Wan 2.1")
    blocks = setup.model.model.diffusion_model.blocks

    def fail(*_: Any) -> None:
        raise RuntimeError("in the middle")

    hook = blocks[1].ffn.register_forward_pre_hook(fail)
    with pytest.raises(RuntimeError, match="in the middle"):
        record(setup, noise(one))
    hook.remove()
    assert not any(module._forward_hooks or module._forward_pre_hooks for module in blocks.modules())


@pytest.mark.parametrize(
    "name", ["Wan 2.1", "Wan 2.1 image to video", "Wan 2.1 VACE", "Cosmos 1", "Cosmos Predict2", "HunyuanVideo 1"]
)
def test_a_text_as_long_as_the_video(name: str) -> None:
    """Lengths say nothing then: what is text is known from the module that runs."""
    one = video(name)
    setup = given(built_video(name), random(1, one.tokens, WIDTH, seed=3))
    capture, seen = record(setup, noise(one))
    assert tuple((call.layer, call.kind) for call in capture.sink.calls) == one.calls
    for call in capture.sink.calls:
        assert_is_the_models(call, *seen[call.place])


def test_a_block_that_another_pack_gave_other_attention(monkeypatch: pytest.MonkeyPatch) -> None:
    """What runs behind it, here VACE's blocks, is not taken for it."""
    one = video("Wan 2.1 VACE")
    setup = given(built_video(one.name), random(1, one.tokens, WIDTH, seed=3))
    block = setup.model.model.diffusion_model.blocks[0]
    monkeypatch.setattr(block.cross_attn, "forward", lambda x, context, **_: torch.zeros_like(x))
    found = tuple((call.layer, call.kind) for call in calls_of(setup, noise(one)))
    assert found == tuple(call for call in one.calls if call != ("block.0", "cross"))


def test_pictures_as_long_as_the_text() -> None:
    """Wan's image-to-video models look at the start picture first; its keys are never taken for the text's."""
    one = video("Wan 2.1 image to video")
    plain = given(built_video(one.name), clip_vision_output=None)
    pictures = TextOf(pictures=(one.text_length, 1280))(torch.Generator().manual_seed(5), 0)[1]
    for setup in (plain, given(plain, **pictures)):
        calls = calls_of(setup, noise(one))
        assert [call.place for call in calls] == [1, 3, 4, 6]
        assert tuple((call.layer, call.kind) for call in calls) == one.calls
    other = given(setup, **TextOf(pictures=(one.text_length, 1280))(torch.Generator().manual_seed(6), 0)[1])
    assert torch.equal(calls[1].keys, calls_of(other, noise(one))[1].keys), "another start picture, the same text"


PICTURE = random(1, 16, 1, 8, 12, seed=5)
SPEECH = random(1, 25, 1024, 12, seed=6)
OF_SCAIL = {"reference_latents": [PICTURE], "pose_video_latent": random(1, 16, 3, 4, 6, seed=6)}
MASKS_OF_SCAIL = {
    "driving_mask_28ch": random(1, 3, 28, 4, 6, seed=7),
    "ref_mask_28ch": random(1, 4, 28, 8, 12, seed=8),
    "ref_mask_flag": False,
}


@pytest.mark.parametrize(
    ("name", "more", "before", "behind"),
    [
        ("Wan 2.1 Fun", {"reference_latents": [random(1, 16, 1, 8, 12, seed=5)]}, 24, 0),
        ("Wan 2.1", {"time_dim_concat": random(1, 16, 2, 7, 12, seed=5)}, 0, 48),
        ("Wan 2.1", {"context_latents": [random(1, 16, 3, 7, 12, seed=5), random(1, 16, 1, 4, 6, seed=6)]}, 0, 78),
        ("Wan 2.1 SCAIL", OF_SCAIL, 24, 18),
        ("Wan 2.1 SCAIL 2", {**OF_SCAIL, **MASKS_OF_SCAIL}, 24, 18),
        ("Wan 2.1 HuMo", {"reference_latents": [PICTURE], "audio_embed": random(1, 3, 8, 5, 1280, seed=6)}, 0, 24),
        ("Wan 2.2 S2V", {"reference_latents": [PICTURE], "audio_embed": SPEECH}, 0, 24),
        ("Wan 2.2 S2V", {"reference_motion": random(1, 16, 19, 8, 12, seed=6)}, 0, 24 + 6 + 4),
        ("HunyuanVideo 1", {"ref_latent": random(1, 16, 1, 8, 12, seed=5)}, 24, 0),
    ],
)
def test_reference_pictures_are_not_the_video(name: str, more: dict[str, Any], before: int, behind: int) -> None:
    """They are kept as keys of the softmax, never as image."""
    one = video(name)
    capture, seen = record(given(built_video(name), **more), noise(one))
    assert tuple((call.layer, call.kind) for call in capture.sink.calls) == one.calls
    if name == "HunyuanVideo 1":
        before += one.text_length
    for call in capture.sink.calls:
        assert call.image == slice(before, before + one.tokens)
        assert call.queries.shape[2] == one.tokens and (call.frames, call.grid) == (one.frames, one.grid)
        if call.kind == "self":
            assert call.keys.shape[2] == before + one.tokens + behind
            assert call.keys[:, :, call.columns("self")].shape[2] == one.tokens
        if call.kind == "cross":
            assert call.keys[:, :, call.columns("cross")].shape[2] == one.text_length
        assert_is_the_models(call, *seen[call.place])


def test_a_face_and_a_pose_of_animate_are_not_the_video(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pose is added to the video's tokens; ComfyUI shows nobody the attention to the face, behind every fifth block."""
    one, setup = video("Wan 2.2 Animate"), built_video("Wan 2.2 Animate")
    encoder = setup.model.model.diffusion_model.motion_encoder
    monkeypatch.setattr(encoder, "get_motion", lambda pictures: random(len(pictures), 512, seed=4))  # needs 512 x 512
    more = {"pose_video_latent": random(1, 16, 2, 8, 12, seed=5), "face_video_pixels": random(1, 3, 4, 8, 8, seed=6)}
    capture, seen = record(given(setup, **more), noise(one))
    assert tuple((call.layer, call.kind) for call in capture.sink.calls) == one.calls
    assert capture.seen == len(one.calls) + one.unread
    for call in capture.sink.calls:
        assert_is_the_models(call, *seen[call.place])


class Encoder:
    """A VAE of LTX, as far as LTXVAddGuide asks one."""

    downscale_index_formula = (8, 32, 32)

    def encode(self, pictures: Tensor) -> Tensor:
        frames, height, width = pictures.shape[:3]
        return random(1, 128, 1 + (frames - 1) // 8, height // 32, width // 32, seed=7)


def with_guide(one: SmallVideo, strength: float, smaller: int) -> tuple[Setup, Run]:
    """The small LTX with what ComfyUI's node gives for one guide picture, and a run of it."""
    setup, picture = built_video(one.name), torch.zeros(1, 64, 96, 3)
    positive, negative, latent = LTXVAddGuide.execute(
        setup.positive,
        setup.negative,
        Encoder(),
        {"samples": one.latent()},
        picture,
        0,
        strength,
        iclora_parameters={"reference_downscale_factor": smaller},
    ).args
    run = one.run(noise_mask=latent["noise_mask"])
    return replace(setup, positive=positive, negative=negative), replace(run, latent=latent["samples"])


@pytest.mark.parametrize(("strength", "smaller", "guides"), [(1.0, 1, 24), (0.6, 1, 24), (1.0, 2, 6), (0.6, 2, 6)])
def test_guides_of_ltx_are_not_the_video(strength: float, smaller: int, guides: int) -> None:
    """LTXVAddGuide puts them behind the other frames; of one of lower resolution the model sees every other token."""
    one = video("LTX-Video")
    setup, run = with_guide(one, strength, smaller)
    model, capture, seen = setup.model.clone(), capture_for(setup, noise(one)), Seen()

    def keep(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, *args: Any, **kwargs: Any) -> Tensor:
        output = function(q, k, v, heads, *args, **kwargs)
        seen[capture.seen] = (v.unflatten(-1, (heads, -1)).transpose(1, 2).clone(), output.clone())
        return output

    model.model_options = hooked_options(model.model_options, capture, keep, keep_previous=False)
    sample(model, setup, run)
    assert tuple((call.layer, call.kind) for call in capture.sink.calls[:4]) == one.calls
    for call in capture.sink.calls:
        assert call.frames == 3 and call.image == slice(0, 72) and call.grid == (4, 6)
        if call.kind == "self":
            assert call.keys.shape[2] == 72 + guides
        assert_is_the_models(call, *seen[call.place])


@pytest.mark.parametrize(("strength", "smaller"), [(1.0, 1), (0.6, 2)])
def test_a_video_of_ltx_with_a_guide_is_recorded_and_guided(
    strength: float, smaller: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    always_wrong(monkeypatch)
    setup, run = with_guide(video("LTX-Video"), strength, smaller)
    plain = sample(setup.model, setup, run)
    for node, steps in ((with_recorder, 3), (lambda model: with_numina(model, NuminaSettings()), 1)):
        model, maps = node(setup.model)
        samples = sample(model, setup, run)
        record, belongs = maps.record_for(samples)
        assert belongs and len(record.steps) == steps and len(record.cross_attention) == 3
        assert torch.equal(plain, samples) == (node is with_recorder)


def test_a_guiding_frame_of_hunyuan_is_one_of_the_video() -> None:
    """Its image-to-video model replaces the first frame: no token is added."""
    one = video("HunyuanVideo 1")
    capture, seen = record(given(built_video(one.name), guiding_frame_index=0), noise(one))
    assert tuple((call.layer, call.kind) for call in capture.sink.calls) == one.calls
    for call in capture.sink.calls:
        assert_is_the_models(call, *seen[call.place])


def test_padding_of_the_text_is_masked_or_cut_off() -> None:
    ltx, mochi = (calls_of(built_video(name), noise(video(name)))[1] for name in ("LTX-Video", "Mochi"))
    assert ltx.kind == "cross"
    assert head_probabilities(ltx, 0)[..., 6].max() == 0 and head_probabilities(ltx, 0)[..., 5].min() > 0
    assert mochi.keys.shape[2] == video("Mochi").tokens + 7
    whole = given(built_video("Mochi"), attention_mask=torch.ones(1, 9, dtype=torch.long))
    assert calls_of(whole, noise(video("Mochi")))[0].columns("cross") == slice(72, 81)


def test_mask_of_hunyuan_is_a_bias() -> None:
    one = video("HunyuanVideo 1")
    mask = (torch.arange(7) < 5).long()[None]
    capture, seen = record(given(built_video(one.name), attention_mask=mask), noise(one))
    for call in capture.sink.calls:
        text = head_probabilities(call, 0)[..., call.text]
        assert text[..., 5:].max() == 0 and text[..., :5].min() > 0
        assert_is_the_models(call, *seen[call.place])


@pytest.mark.parametrize("lettering", [0, 3])
@pytest.mark.parametrize("pictures", [0, 5])
def test_where_the_text_of_hunyuan_is(lettering: int, pictures: int) -> None:
    """1.5: [start picture, lettering, text, video]; HunyuanImage: [text, lettering, picture]."""
    generator = torch.Generator().manual_seed(2)
    for name in ("HunyuanVideo 1.5", "HunyuanImage 2.1"):
        one = video(name)
        if pictures and one.frames == 1:
            continue
        text = TextOf(pooled=True, pictures=(pictures, 16) if pictures else None, lettering=lettering)
        tensor, options = text(generator, 0)
        own = {key: value for key, value in built_video(name).positive[0][1].items() if key not in OF_HUNYUAN}
        setup = replace(built_video(name), positive=[[tensor, {**own, **options}]])
        start, first = pictures + lettering if one.frames > 1 else 0, pictures + lettering + 7
        capture, seen = record(setup, noise(one))
        for call in capture.sink.calls:
            assert call.text == slice(start, start + 7) and call.image == slice(first, first + one.tokens)
            assert call.keys.shape[2] == one.tokens + pictures + lettering + 7
            assert_is_the_models(call, *seen[call.place])


OF_HUNYUAN = ("clip_vision_output", "conditioning_byt5small")


def two_frames_at_a_time() -> comfy.context_windows.IndexListContextHandler:
    windows = comfy.context_windows
    return windows.IndexListContextHandler(
        windows.get_matching_context_schedule(windows.ContextSchedules.STATIC_STANDARD),
        windows.get_matching_fuse_method(windows.ContextFuseMethods.FLAT),
        context_length=2,
        dim=2,
    )


def test_context_windows_are_read_on_their_own_frames() -> None:
    one, setup = video("Wan 2.1"), built_video("Wan 2.1")
    model, capture = setup.model.clone(), capture_for(setup, noise(one))
    model.model_options = hooked_options(
        {**model.model_options, "context_handler": two_frames_at_a_time()}, capture, users_own, keep_previous=False
    )
    sample(model, setup, one.run(steps=1))
    assert len(capture.sink.calls) % (2 * len(one.calls)) == 0 and capture.sink.calls
    # Every window but the first has the frame before it, too.
    assert {(call.frames, call.queries.shape[2]) for call in capture.sink.calls} == {(2, 48), (3, 72)}


def test_tokens_of_two_frames_each() -> None:
    """CogVideoX 1.5 fills an odd number of frames up; windows of frames would part what its tokens hold together."""
    one, setup = video("CogVideoX 1.5"), built_video("CogVideoX 1.5")
    calls = calls_of(setup, random(1, 16, 3, *one.shape[-2:]))
    assert {(call.frames, call.queries.shape[2]) for call in calls} == {(2, one.tokens)}
    model = with_numina(setup.model, NuminaSettings())[0]
    model.model_options["context_handler"] = two_frames_at_a_time()
    with pytest.raises(CountError, match=r"CogVideoX 1\.5 takes the frames of a latent two by two"):
        sample(model, setup, one.run())


def test_fewer_queries_of_every_frame() -> None:
    one, setup = video("Wan 2.1"), built_video("Wan 2.1")
    whole, some, least = (
        next(call for call in calls_of(setup, noise(one), sink=CallList(most, one_grid=True)) if call.kind == "self")
        for most in (None, 18, 1)
    )
    assert (some.grid, some.frames, some.image_grid) == ((2, 3), 3, (4, 6))
    frames = whole.queries.unflatten(2, (3, 4, 6))
    assert torch.equal(some.queries, frames[:, :, :, ::2, ::2].flatten(2, 4))
    assert torch.equal(least.queries, frames[:, :, :, 0, 0])
    assert some.keys.shape == whole.keys.shape


def test_one_conditioning_of_a_batch() -> None:
    one, setup = video("Wan 2.1"), built_video("Wan 2.1")
    setup.model.model.current_patcher = setup.model
    x = noise(one)
    positive, negative = positive_of(setup, x), positive_of(replace(setup, positive=setup.negative), x)
    alone = calls_of(setup, x)
    capture = capture_for(setup, x, uuid=positive["uuid"])
    run = hooked_options(setup.model.model_options, capture, users_own, keep_previous=False)
    with torch.inference_mode():
        conds = [[positive], [negative]]
        comfy.samplers.calc_cond_batch(setup.model.model, conds, x, torch.full((1,), SIGMA), run)
    for mine, other in zip(capture.sink.calls, alone, strict=True):
        torch.testing.assert_close(mine.keys, other.keys)
        assert mine.frames == 3


def test_pictures_with_a_latent_of_five_dimensions() -> None:
    """ComfyUI's latents of Qwen-Image have a frame."""
    one, setup = small("Qwen-Image"), built_picture("Qwen-Image")
    setup.model.model.current_patcher = setup.model
    x = random(1, *one.shape)
    assert x.ndim == 5
    capture = Capture(family_of(setup.model, NODE).reader((15, 12)))
    run = hooked_options(setup.model.model_options, capture, users_own, keep_previous=False)
    with torch.inference_mode():
        comfy.samplers.calc_cond_batch(setup.model.model, [[positive_of(setup, x)]], x, torch.full((1,), SIGMA), run)
    assert {(call.kind, call.frames, call.grid) for call in capture.sink.calls} == {("joint", 1, one.grid)}


@pytest.mark.parametrize("kind", [CausalWanModel, WanDancerModel])
def test_relatives_of_wan_that_differ_are_refused(kind: type) -> None:
    model = SimpleNamespace(model=SimpleNamespace(diffusion_model=kind.__new__(kind)))
    with pytest.raises(CountError, match=r"^Numina cannot read .*It works with Wan 2\.1 and 2\.2; HunyuanVideo"):
        family_of(model, "Numina", VIDEO_FAMILIES)


def test_the_refiner_of_hunyuan_image_is_refused() -> None:
    base = comfy.model_base.HunyuanImage21Refiner.__new__(comfy.model_base.HunyuanImage21Refiner)
    torch.nn.Module.__init__(base)
    base.diffusion_model = built_video("HunyuanImage 2.1").model.model.diffusion_model
    assert not any(family.has(base) for family in VIDEO_FAMILIES)


def layout_of(name: str, counts: Any, conditioning: dict[str, Any]) -> Any:
    return family_of(built_video(name).model, NODE, VIDEO_FAMILIES).text_layout(counts, conditioning)


L, LLAMA, QWEN = IdEncoder(POOLED), IdEncoder(POOLED, masks=True), IdEncoder(POOLED, masks=True)
CROPPED = {
    "HunyuanVideo 1": (
        "llama",
        te.hunyuan_video.HunyuanVideoTokenizer,
        lambda: text_model(te.hunyuan_video.HunyuanVideoClipModel, clip_l=L, llama=LLAMA),
    ),
    "HunyuanVideo 1.5": ("qwen25_7b", te.hunyuan_video.HunyuanVideo15Tokenizer, lambda: qwen_of_hunyuan()),
    "HunyuanImage 2.1": ("qwen25_7b", te.hunyuan_image.HunyuanImageTokenizer, lambda: qwen_of_hunyuan()),
}


def qwen_of_hunyuan() -> Any:
    kind = te.hunyuan_image.HunyuanImageTEModel
    parts = {"clip_name": "qwen25_7b", "clip": "clip_qwen25_7b", "clip_qwen25_7b": QWEN}
    return text_model(kind, byt5_small=IdEncoder(POOLED), **parts)


@cache
def clip_of(name: str, tokenizer_class: type | None) -> Clip:
    """The tokenizer of a model; transformers 4 and 5 read Llama's in different ways."""
    with pytest.MonkeyPatch.context() as patch:
        if tokenizer_class is not None:
            patch.setattr(te.hunyuan_video, "LlamaTokenizerFast", tokenizer_class)
        return Clip(CROPPED[name][1]())


@pytest.mark.parametrize("prompt", ["two red cats and three teddy bears", 'one robot with a sign "cats" and two dogs'])
@pytest.mark.parametrize(
    ("name", "tokenizer_class"),
    [*((name, None) for name in CROPPED), ("HunyuanVideo 1", PreTrainedTokenizerFast)],
)
def test_nouns_behind_the_templates(name: str, tokenizer_class: type | None, prompt: str) -> None:
    """Through ComfyUI's tokenizers and text encoders."""
    key, _, encoder = CROPPED[name]
    tokens, counts = count_prompt(clip_of(name, tokenizer_class), prompt)
    text = encoder().encode_token_weights(tokens)[0]
    layout = layout_of(name, counts, {"cross_attn": text})
    assert layout.length == layout.own == text.shape[1]
    flat = [entry[0] for entry in tokens[key][0]]
    for item, own in zip(counts.tokens[key], context_positions(counts, layout), strict=True):
        assert [int(text[0, place, 0]) for place in own.noun] == [flat[place] for place in item.noun]


@pytest.mark.parametrize(
    ("name", "tokenizer"),
    [
        ("Mochi", te.genmo.MochiT5Tokenizer),
        ("CogVideoX", te.cogvideo.CogVideoXTokenizer),
        ("LTX-Video", te.lt.LTXVT5Tokenizer),
        ("Cosmos 1", te.cosmos.CosmosT5Tokenizer),
        ("Cosmos Predict2", te.cosmos.CosmosT5Tokenizer),
    ],
)
def test_nouns_among_the_tokens_of_t5(name: str, tokenizer: type) -> None:
    """A token's position is its column; Mochi's model reads no padding."""
    tokens, counts = count_prompt(Clip(tokenizer()), "two red cats and three dogs")
    ids = torch.tensor([entry[0] for entry in tokens["t5xxl"][0]])
    mask = (ids != 0).long()[None]
    layout = layout_of(name, counts, {"cross_attn": torch.zeros(1, len(ids), 8), "attention_mask": mask})
    assert context_positions(counts, layout) == counts.tokens["t5xxl"]
    read = int(mask.sum()) if name == "Mochi" else len(ids)
    assert read > 5 and layout.length == layout.own == read


@pytest.mark.parametrize(("prompt", "own"), [(7, 13), (8, 7)])
def test_pictures_in_front_of_the_prompt_of_minimax(prompt: int, own: int) -> None:
    """First and last frame and reference pictures: each has a label, and only the text behind the last is the prompt."""
    one, tags = video("MiniMax H3"), torch.tensor([1, 1, 0, 0, 1, 0] + [1] * prompt)
    given_text = {"cross_attn": torch.zeros(1, len(tags), 8), "minimax_token_tags": tags}
    layout = layout_of(one.name, one.counts(), given_text)
    assert layout.length == len(tags) and layout.own == own
    assert [found.noun for found in context_positions(one.counts(), layout)] == [(8,), (10,)]


def test_anima_without_the_tokens_of_t5_is_refused() -> None:
    one = video("Anima")
    with pytest.raises(CountError, match="no tokens of T5; connect the CLIP that belongs to Anima to Count Prompt"):
        layout_of(one.name, one.counts(), {"cross_attn": torch.zeros(1, 9, 8)})


@pytest.mark.parametrize(("tokens", "own"), [(7, 1024), (9, 7), (1024, 1024), (1100, 7)])
def test_the_text_of_ltx_2_is_filled_up(tokens: int, own: int) -> None:
    one = video("LTX-2")
    layout = layout_of(one.name, one.counts(), {"cross_attn": torch.zeros(1, tokens, 8)})
    assert layout.length == (1152 if tokens > 1024 else 1024) and layout.own == own


@pytest.mark.parametrize(
    "name", ["Wan 2.1", "LTX-Video", "LTX-2", "MiniMax H3", "Mochi", "CogVideoX", "Cosmos 1", "HunyuanVideo 1"]
)
def test_the_clip_of_another_model_is_refused_by_name(name: str) -> None:
    counts = replace(video(name).counts(), lengths={"g": 7})
    with pytest.raises(CountError, match="connect the CLIP that belongs to the model to Count Prompt"):
        layout_of(name, counts, {"cross_attn": torch.zeros(1, 7, 8)})


@pytest.mark.parametrize("name", ["HunyuanVideo 1.5", "HunyuanImage 2.1"])
def test_a_template_of_the_users_own_is_refused(name: str) -> None:
    counts = replace(video(name).counts(), prompt="<|im_start|>user\ntwo red cats and a dog<|im_end|>")
    with pytest.raises(CountError, match="the prompt brings its own template"):
        layout_of(name, counts, {"cross_attn": torch.zeros(1, 7, 8)})
