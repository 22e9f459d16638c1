"""Runs as users set them up: parts of a schedule, batches picked out, masks, joined prompts, windows, tiles, compilers."""

from __future__ import annotations

import logging
from typing import Any

import pytest
import torch
from comfy.patcher_extension import WrappersMP
from comfy_extras.nodes_context_windows import ContextWindowsManualNode
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.recording.recorder import with_recorder
from headcount.core.errors import CountError
from headcount.core.prompts import CONDITIONING_KEY

import nodes as comfy_nodes

from ..helpers.models import SMALLEST_UNET, Conditioning, Run, Setup, sample, shapes_setup, tiny_setup
from ..helpers.packs import COMPILED, ORDERS, beside, first, tiles

EVERY_STEP = IsacSettings("paper", "relative", 0.02, end_percent=1.0)
SMALL = Run(size=(8, 8))
NODES = {"recorder": with_recorder, "isac": lambda model: with_isac(model, EVERY_STEP)}


@pytest.fixture(scope="module")
def tiny() -> Setup:
    return tiny_setup(unet=SMALLEST_UNET)


def advanced(model: Any, setup: Setup, latent: dict[str, Any], steps: int = 6, **options: Any) -> torch.Tensor:
    """What KSampler Advanced does; start, end: of the schedule; noise, rest: whether noise is added, and left over."""
    settings = {"start": 0, "end": steps, "noise": True, "rest": False, "sampler": "euler", **options}
    with torch.inference_mode():
        (out,) = comfy_nodes.KSamplerAdvanced().sample(
            model,
            "enable" if settings["noise"] else "disable",
            3,
            steps,
            3.0,
            settings["sampler"],
            "normal",
            setup.positive,
            setup.negative,
            latent,
            settings["start"],
            settings["end"],
            "enable" if settings["rest"] else "disable",
        )
    return out["samples"]


def empty(setup: Setup, batch: int = 1, size: int = 8) -> dict[str, Any]:
    return {"samples": torch.zeros(batch, setup.channels, size, size)}


@pytest.mark.parametrize("sampler", ["euler", "heun", "dpm_2", "uni_pc", "lms"])
def test_the_two_halves_of_a_schedule(sampler: str, tiny: Setup) -> None:
    """KSampler Advanced twice, with the noise left over in between: both halves are steered and recorded."""
    model, maps = with_isac(tiny.model, EVERY_STEP)
    middle = advanced(model, tiny, empty(tiny), end=3, rest=True, sampler=sampler)
    assert len(maps.record_for(middle)[0].steps) == 3
    end = advanced(model, tiny, {"samples": middle}, start=3, noise=False, sampler=sampler)
    record, belongs = maps.record_for(end)
    assert belongs and 2 <= len(record.steps) <= 3 and torch.isfinite(end).all()
    untouched = advanced(tiny.model, tiny, {"samples": middle}, start=3, noise=False, sampler=sampler)
    assert not torch.equal(end, untouched)
    watched, maps = with_recorder(tiny.model)
    assert torch.equal(advanced(watched, tiny, {"samples": middle}, start=3, noise=False, sampler=sampler), untouched)
    assert len(maps.record_for(untouched)[0].steps) == len(record.steps)


def test_two_halves_are_the_whole() -> None:
    """Where the objective does not look at the schedule, cutting it in two changes nothing."""
    setup = shapes_setup()
    model, _ = with_isac(setup.model, IsacSettings(end_percent=1.0))
    whole = advanced(model, setup, empty(setup, size=16))
    middle = advanced(model, setup, empty(setup, size=16), end=3, rest=True)
    halves = advanced(model, setup, {"samples": middle}, start=3, noise=False)
    torch.testing.assert_close(halves, whole, rtol=1e-3, atol=1e-3)
    assert not torch.equal(whole, advanced(setup.model, setup, empty(setup, size=16)))


def test_indices_of_a_batch(tiny: Setup) -> None:
    """Latent From Batch picks noises by number: the picture is that of the whole batch, steered alike."""
    model, _ = with_isac(tiny.model, EVERY_STEP)
    every = advanced(model, tiny, empty(tiny, batch=5))
    picked = {"samples": torch.zeros(2, 4, 8, 8), "batch_index": [4, 1]}
    two = advanced(model, tiny, picked)
    torch.testing.assert_close(two, every[[4, 1]], rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("sampler", ["euler", "dpmpp_2m", "uni_pc", "dpm_adaptive", "sa_solver", "lms"])
def test_a_mask_keeps_what_it_keeps(sampler: str, tiny: Setup) -> None:
    mask = torch.zeros(1, 1, 64, 64)
    mask[..., :32] = 1.0
    latent = torch.randn(1, 4, 8, 8, generator=torch.Generator().manual_seed(0))
    run = Run(sampler, steps=3, size=(8, 8), latent=latent, noise_mask=mask, denoise=0.7)
    model, maps = with_isac(tiny.model, EVERY_STEP)
    samples = sample(model, tiny, run)
    assert maps.record_for(samples)[1]
    plain = sample(tiny.model, tiny, run)
    # Some samplers end above noise level 0, so that what is kept is not quite the latent's, with or without steering.
    torch.testing.assert_close(samples[..., 4:], plain[..., 4:], rtol=1e-4, atol=1e-4)
    assert (samples - plain)[..., :4].abs().max() > 1e-3


def joined(setup: Setup, how: str) -> Conditioning:
    other = torch.randn(1, 7, 24, generator=torch.Generator().manual_seed(5))
    second = [[other, {}]]
    if how == "concat":
        return comfy_nodes.ConditioningConcat().concat(setup.positive, second)[0]
    if how == "average":
        return comfy_nodes.ConditioningAverage().addWeighted(setup.positive, second, 0.7)[0]
    if how == "combine":
        return comfy_nodes.ConditioningCombine().combine(second, setup.positive)[0]
    # Of 64 x 64 pixels: the right half, or an area that reaches past the lower right corner.
    place = (32, 64, 32, 0) if how == "area" else (64, 64, 32, 32)
    (part,) = comfy_nodes.ConditioningSetArea().append(setup.positive, *place, 1.0)
    return comfy_nodes.ConditioningCombine().combine(second, part)[0]


@pytest.mark.parametrize("how", ["concat", "average", "combine", "area", "overhanging area"])
@pytest.mark.parametrize("cfg", [1.0, 3.0])
def test_joined_prompts(how: str, cfg: float, tiny: Setup) -> None:
    """Count Prompt's words stay where they are: before what is appended, mixed with the same place, or in a part."""
    run = Run(size=(8, 8), cfg=cfg)
    with torch.inference_mode():
        positive = joined(tiny, how)
    plain = sample(tiny.model, tiny, run, positive=positive)
    watched, maps = with_recorder(tiny.model)
    assert torch.equal(sample(watched, tiny, run, positive=positive), plain)
    record, _ = maps.record_for(plain)
    assert len(record.steps) == 3 and torch.isfinite(record.cross_attention).all()
    model, maps = with_isac(tiny.model, EVERY_STEP)
    samples = sample(model, tiny, run, positive=positive)
    assert torch.isfinite(samples).all() and not torch.equal(samples, plain)
    assert len(maps.record_for(samples)[0].steps) == 3


def test_a_prompt_that_only_appends_a_count_is_asked_for(tiny: Setup) -> None:
    """Conditioning (Concat) keeps the options of its first input: the words of the second are not where they were."""
    with torch.inference_mode():
        bare = [[tiny.negative[0][0], {}]]
        positive = comfy_nodes.ConditioningConcat().concat(bare, tiny.positive)[0]
    assert CONDITIONING_KEY not in positive[0][1]
    model, _ = with_isac(tiny.model, EVERY_STEP)
    with pytest.raises(CountError, match="does not know where the words of the positive prompt are"):
        sample(model, tiny, SMALL, positive=positive)


def windows(model: Any, length: int) -> Any:
    node = ContextWindowsManualNode
    return first(node.execute(model, length, 0, "standard_static", 1, False, "pyramid", 0, freenoise=False))


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("order", ORDERS)
def test_context_windows(name: str, order: str, tiny: Setup) -> None:
    """Refused before the first step where they would apply; no trouble where the batch fits."""
    ours, run = NODES[name], Run(size=(8, 8), batch=4)

    def built(length: int) -> tuple[Any, Any]:
        return beside(lambda model: windows(model, length), ours, tiny.model, order)

    model, _ = built(2)
    asked: list[int] = []

    def note(executor: Any, *args: Any, **kwargs: Any) -> Any:
        asked.append(1)
        return executor(*args, **kwargs)

    model.add_wrapper_with_key(WrappersMP.APPLY_MODEL, "test", note)
    with pytest.raises(
        CountError, match=r"cannot be combined with context windows, .*: remove the Context Windows node"
    ):
        sample(model, tiny, run)
    assert asked == []
    model, maps = built(4)
    assert len(maps.record_for(sample(model, tiny, run))[0].steps) == 3


@pytest.mark.parametrize("name", NODES)
@pytest.mark.parametrize("order", ORDERS)
def test_tiled_diffusion(name: str, order: str, tiny: Setup) -> None:
    """Refused when the model is first shown a tile."""
    ours = NODES[name]
    model, _ = beside(tiles, ours, tiny.model, order)
    steps: list[int] = []
    with pytest.raises(
        CountError, match=r"part of the image .* \(1 of 8 x 4 instead of 1 of 8 x 8 latent pixels\), such as tiled"
    ):
        sample(model, tiny, SMALL, callback=lambda step, *_: steps.append(step))
    assert steps == []


def one_by_one(model: Any) -> Any:
    """A pack that shows the model one picture of the batch at a time."""
    patched = model.clone()

    def split(apply: Any, args: dict[str, Any]) -> torch.Tensor:
        parts = [apply(x[None], t[None], **args["c"]) for x, t in zip(args["input"], args["timestep"], strict=True)]
        return torch.cat(parts)

    patched.set_model_unet_function_wrapper(split)
    return patched


@pytest.mark.parametrize("name", NODES)
def test_a_batch_that_is_split(name: str, tiny: Setup) -> None:
    model, _ = NODES[name](one_by_one(tiny.model))
    bare = Run(size=(8, 8), batch=3, cfg=1.0)
    with pytest.raises(CountError, match=r"part of the image or of the batch"):
        sample(model, tiny, bare)


@pytest.mark.parametrize(("name", "order"), [("recorder", "after"), ("isac", "before")])
def test_torch_compile(name: str, order: str, caplog: pytest.LogCaptureFixture) -> None:
    """Compiled models are recorded and steered; where nothing could be recorded, the log would say so.

    The smallest U-Net, and two of the four orders: compiling takes long. All four were tried on the tiny model.
    """
    setup, ours, run = tiny_setup(unet=SMALLEST_UNET), NODES[name], Run(steps=2, size=(8, 8))
    torch._dynamo.reset()
    model, maps = beside(COMPILED, ours, setup.model, order)
    with caplog.at_level(logging.WARNING):
        samples = sample(model, setup, run)
    torch._dynamo.reset()
    assert torch.isfinite(samples).all()
    torch.testing.assert_close(samples, sample(ours(setup.model)[0], setup, run), rtol=1e-3, atol=1e-3)
    record, belongs = maps.record_for(samples)
    assert belongs and len(record.steps) == 2 and record.self_attention.std() > 0
    assert "recorded nothing" not in caplog.text
