"""Attention Map Recorder on videos: every architecture of the table really samples, and its maps are the model's."""

from __future__ import annotations

import json
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import comfy.sample
import pytest
import torch
from comfy.ldm.wan.model_wandancer import WanDancerModel
from headcount.bridge.families.table import RECORDED_FAMILIES
from headcount.bridge.recording.maps import MapsHandle
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.views.instances import find_instances
from headcount.bridge.views.viewer import ViewSettings, pictures_for, view_maps
from headcount.bridge.views.viewer_data import viewer_data
from headcount.core.attention.call_sums import RecordedMaps
from headcount.core.attention.heat import noun_heat_over_time, word_heat
from headcount.core.attention.records import RunRecord, RunRecorder
from headcount.core.errors import CountError
from torch import Tensor, nn

from ..helpers.models import Run, Setup, sample
from ..helpers.video_models import VIDEOS, SmallVideo, built_video, video

every_model = pytest.mark.parametrize("one", VIDEOS, ids=lambda one: one.name)
LIMIT = 3 * 2**20


def recorded(setup: Setup, run: Run) -> tuple[Tensor, RunRecord]:
    model, maps = with_recorder(setup.model)
    samples = sample(model, setup, run)
    found, mine = maps.record_for(samples)
    assert mine
    return samples, found


@every_model
def test_two_videos(one: SmallVideo) -> None:
    """Nothing changes in them, and each has its frames."""
    setup, run, videos = built_video(one.name), one.run(batch=2), one.batch(2)
    samples, found = recorded(setup, run)
    assert torch.equal(sample(setup.model, setup, run), samples)
    assert found.frames == one.frames and found.grid == one.grid and len(found.steps) == 3
    assert len(found.cross_attention) == len(found.self_attention) == videos * one.frames
    heat = word_heat(found, found.all_words[:2])
    assert heat.shape == (videos * one.frames, 2, *one.grid) and heat.min() >= 0 and heat.max() <= 1
    assert heat.flatten(2).std(-1).min() > 1e-4, "attention of a model with degenerate weights proves nothing"
    assert one.alone or (heat[0] - heat[one.frames]).abs().max() > 1e-4, "the second video has maps of its own"
    assert {part.layer for part in found.layers if part.step == 1} == {layer for layer, _ in one.calls}
    rows = found.self_attention.float().sum(-1)
    torch.testing.assert_close(rows, torch.ones_like(rows), atol=1e-2, rtol=0)


@pytest.mark.parametrize("one", [one for one in VIDEOS if not one.alone], ids=lambda one: one.name)
def test_the_second_video_is_the_one_that_is_sampled_alone(one: SmallVideo) -> None:
    setup = built_video(one.name)
    noise = comfy.sample.prepare_noise(one.latent(2), 3)
    heat = []
    for part in (noise, noise[1:]):
        model, maps = with_recorder(setup.model)
        with torch.inference_mode():
            samples = comfy.sample.sample(
                model, part, 2, 2.0, "euler", "simple", setup.positive, setup.negative, one.latent(part.shape[0]), seed=3,
                disable_pbar=True,
            )  # fmt: skip
        heat.append(noun_heat_over_time(maps.record_for(samples)[0]))
    torch.testing.assert_close(heat[0][:, one.frames :], heat[1], atol=2e-3, rtol=2e-2)


def wan_by_hand(setup: Setup, run: Run) -> Tensor:
    """What Wan's cross-attention modules compute in a run of one step, without the pack: (F, T, h, w)."""
    heat = []

    def look(attention: Any, inputs: tuple[Tensor, ...], kwargs: dict[str, Any]) -> None:
        x, context = (*inputs, kwargs.get("context"))[:2]
        queries, keys = attention.norm_q(attention.q(x)), attention.norm_k(attention.k(context))
        total = torch.zeros(x.shape[1], context.shape[1])
        for head in range(attention.num_heads):
            own = slice(head * attention.head_dim, (head + 1) * attention.head_dim)
            total += (queries[0, :, own] @ keys[0, :, own].T / attention.head_dim**0.5).softmax(-1)
        heat.append(total / attention.num_heads)

    blocks = setup.model.model.diffusion_model.blocks
    hooks = [block.cross_attn.register_forward_pre_hook(look, with_kwargs=True) for block in blocks]
    sample(setup.model, setup, run)
    for hook in hooks:
        hook.remove()
    assert len(heat) == len(blocks), "with cfg 1 the model is only asked about the positive prompt"
    return torch.stack(heat)


def test_heat_is_the_models_softmax() -> None:
    """Of each layer and each frame, in the order frame, row, column."""
    one = video("Wan 2.1")
    setup, run = built_video(one.name), one.run(steps=1, cfg=1.0)
    layers = wan_by_hand(setup, run).unflatten(1, (one.frames, *one.grid))
    _, found = recorded(setup, run)
    for noun, (token,) in enumerate(one.nouns):
        mean = layers[..., token].mean(0)
        torch.testing.assert_close(noun_heat_over_time(found)[0, :, noun], mean, atol=1e-3, rtol=1e-2)
        for layer, expected in enumerate(layers[..., token]):
            (part,) = [part for part in found.layers if part.layer == f"block.{layer}"]
            heat = part.heat[:, noun].float().unflatten(1, one.grid)
            torch.testing.assert_close(heat, expected, atol=1e-3, rtol=1e-2)


@every_model
def test_the_negative_prompt_is_not_in_the_maps(one: SmallVideo) -> None:
    """With both in one batch the maps are those of the positive one alone."""
    setup = built_video(one.name)
    both, alone = (recorded(setup, one.run(steps=1, cfg=cfg))[1].cross_attention.float() for cfg in (3.0, 1.0))
    torch.testing.assert_close(both, alone, atol=1e-3, rtol=1e-2)


@pytest.mark.parametrize(
    ("name", "frames", "size"),
    [
        *((name, 1, (7, 12)) for name in ("Wan 2.1", "LTX-Video")),
        *((name, 2, (10, 5)) for name in ("Wan 2.1", "LTX-Video")),
        *((name, 1, (10, 6)) for name in ("HunyuanVideo 1", "Mochi", "CogVideoX", "Cosmos 1", "Cosmos Predict2")),
    ],
)
def test_other_sizes(name: str, frames: int, size: tuple[int, int]) -> None:
    """One frame is a picture; the models that take odd sides pad them."""
    one, setup = video(name), built_video(name)
    latent = torch.zeros(1, one.shape[0], frames, *size)
    samples, found = recorded(setup, replace(one.run(steps=2), latent=latent))
    patch = -(-one.shape[-1] // one.grid[1])
    assert found.grid == (-(-size[0] // patch), -(-size[1] // patch)) and found.frames == frames
    assert found.name_of(frames - 1) == ("image 1" if frames == 1 else "frame 2")
    assert torch.isfinite(found.cross_attention).all() and samples.shape[2:] == (frames, *size)


@pytest.mark.parametrize(
    ("name", "pixels"),
    [
        ("Wan 2.1", 8),
        ("Wan 2.2 5B", 16),
        ("LTX-Video", 32),
        ("HunyuanVideo 1", 8),
        ("HunyuanVideo 1.5", 16),
        ("Mochi", 8),
        ("CogVideoX", 8),
    ],
)
def test_the_decoded_size(name: str, pixels: int) -> None:
    one = video(name)
    _, found = recorded(built_video(name), one.run(steps=1))
    assert found.size == (one.shape[-2] * pixels, one.shape[-1] * pixels)


@pytest.mark.parametrize(
    ("videos", "frames", "names"),
    [
        (2, 1, ["image 1", "image 2"]),
        (1, 2, ["frame 1", "frame 2"]),
        (2, 2, ["video 1, frame 1", "video 1, frame 2", "video 2, frame 1", "video 2, frame 2"]),
    ],
)
def test_names(videos: int, frames: int, names: list[str]) -> None:
    run = made_up(videos, frames, 1, (4, 6))
    assert run.frames == frames and [run.name_of(item) for item in range(videos * frames)] == names


def test_words_of_a_long_prompt_keep_their_columns_only() -> None:
    one = video("Wan 2.1")
    _, found = recorded(built_video(one.name), one.run())
    assert found.cross_attention.shape[-1] == len({token for _, own in found.words for token in own}) < one.text_length


@every_model
def test_views_and_masks(one: SmallVideo) -> None:
    setup = built_video(one.name)
    model, maps = with_recorder(setup.model)
    samples = sample(model, setup, one.run(batch=2))
    many = one.batch(2) * one.frames
    for show, views in (("words", 2), ("regions", 1), ("steps", 6)):
        view = view_maps(maps, samples, None, ViewSettings(show))
        assert len(view.pictures) == len(view.masks) == views * many and torch.isfinite(view.pictures).all()
    record, _ = maps.record_for(samples)
    view = view_maps(maps, samples, None, ViewSettings("words", "dog"))
    assert view.text.splitlines() == [f"{record.name_of(item)}: dog" for item in range(many)]
    masks = find_instances(maps, samples, many - 1, "asked", 0.5).masks
    assert masks.shape == (3, *record.size) and view.pictures.shape[1:3] == record.size
    what = "frames" if one.frames > 1 else "images"
    with pytest.raises(CountError, match=f"batch_index is {many}, but the run made {many} {what}"):
        find_instances(maps, samples, many, "asked", 0.5)


@pytest.mark.parametrize("videos", [1, 2])
def test_frames_line_up_with_the_decoded_video(videos: int) -> None:
    """Wan decodes F frames to 4 F - 3 pictures; each map is drawn on the last one that its frame takes part in."""
    one = video("Wan 2.1")
    model, maps = with_recorder(built_video(one.name).model)
    samples = sample(model, built_video(one.name), one.run(batch=videos))
    clip = torch.arange(9 * videos).float().div(20).view(-1, 1, 1, 1).expand(-1, 56, 96, 3)
    view = view_maps(maps, samples, clip, ViewSettings("words", "dog", opacity=0.0))
    expected = [place + 9 * video for video in range(videos) for place in (0, 4, 8)]
    assert (view.pictures[:, 0, 0, 0] * 20).round().tolist() == expected
    if videos == 2:
        with pytest.raises(CountError, match=r"^image has 1 image for 2 videos\. Connect the images decoded from the"):
            view_maps(maps, samples, clip[:1], ViewSettings())


def made_up(videos: int = 1, frames: int = 21, steps: int = 30, grid: tuple[int, int] = (30, 52)) -> RunRecord:
    """A run of noise: nothing is harder to keep small."""
    generator = torch.Generator().manual_seed(0)
    words = tuple((f"word{index}", (index + 2,)) for index in range(30))
    running = RunRecorder(("cats", "dog"), ((0,), (1,)), (2, 1), words)
    items, cells, own = videos * frames, grid[0] * grid[1], 15 * 26
    rows = torch.rand(items, own, own, generator=generator)
    for step in range(steps):
        cross = torch.rand(items, cells, 32, generator=generator) ** 4
        running.add(step, 1.0 - step / steps, RecordedMaps(cross, grid, rows, (15, 26)))
    return running.finish(torch.randn(videos, 16, frames, 2 * grid[0], 2 * grid[1], generator=generator))


@pytest.mark.parametrize(("videos", "frames", "grid"), [(1, 21, (30, 52)), (2, 5, (20, 24))])
def test_the_pages_files(videos: int, frames: int, grid: tuple[int, int]) -> None:
    run = made_up(videos, frames, 30 if grid == (30, 52) else 8, grid)
    data = viewer_data(run, torch.rand(videos * frames, 240, 416, 3))
    assert sum(len(content) for content in data.files.values()) < LIMIT
    about = json.loads(data.files["view.json"])
    names = [one["name"] for one in about["pictures"]]
    if videos == 1:
        assert names == [f"frame {place + 1}" for place in range(21)]
        assert about["maps"]["mean"]["grid"] == [30, 52] and len(about["steps"]) >= 12
    else:
        assert names[0] == "video 1, frame 1" and names[-1] == f"video 2, frame {frames}"
    assert about["maps"]["steps"]["columns"] == 8 and len(about["words"]) == 24
    assert len(about["maps"]["mean"]["ranges"]) == len(about["instances"]["counts"]) == len(names)


def test_what_a_run_keeps() -> None:
    run = made_up(steps=2)
    for step in run.steps:
        assert step.nouns.element_size() * step.nouns.numel() + step.words.element_size() * step.words.numel() < 2**20
    assert run.cross_attention.numel() * 2 < 3 * 2**20


def test_pages_of_a_real_run() -> None:
    one, handle = video("Wan 2.1"), MapsHandle()
    _, found = recorded(built_video(one.name), one.run())
    handle.add(found)
    about = json.loads(viewer_data(found, pictures_for(found, None)).files["view.json"])
    assert [one["name"] for one in about["pictures"]] == ["frame 1", "frame 2", "frame 3"]
    assert {(part["layer"], part["heads"]) for part in about["layers"]} >= {
        ("block.0", "mean"),
        ("first third", "mean"),
    }


@pytest.mark.parametrize("kind", [WanDancerModel, nn.Linear])
def test_others_are_refused_by_name(kind: type) -> None:
    model = SimpleNamespace(model=SimpleNamespace(diffusion_model=kind.__new__(kind)))
    with pytest.raises(CountError, match=r"^Attention Map Recorder cannot read .*Wan 2\.1 and 2\.2; Hunyuan") as said:
        with_recorder(model)
    assert all(family.name in str(said.value) for family in RECORDED_FAMILIES)
