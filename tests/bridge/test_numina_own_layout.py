"""Boxes of the artist's own into NUMINA Count Guide: one run, guided from its first step, to these boxes."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from headcount.bridge.numina import guided_rows
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.numina.shared_guide import SharedGuide
from headcount.bridge.recording.maps import EmptyRun
from headcount.core.errors import CountError
from headcount.core.numina import Layouts

from ..helpers.families import SMALL, built
from ..helpers.models import Run, sample, shapes_setup
from ..helpers.video_models import VIDEOS, built_video

BUILT: dict[str, tuple[Any, Any]] = {one.name: (one, built) for one in SMALL} | {
    one.name: (one, built_video) for one in VIDEOS
}
NAMES = ("Stable Diffusion 1.5", "Flux 1", "Qwen-Image", "Wan 2.1", "Wan 2.2 5B", "HunyuanVideo 1")


def drawn(setup: Any, shape: tuple[int, ...]) -> list[dict[str, Any]]:
    """Two cats in the upper corners and a dog in the middle below."""
    pixels = setup.model.model.latent_format.spacial_downscale_ratio
    height, width = shape[-2] * pixels, shape[-1] * pixels
    box = {"width": width / 4, "height": height / 4, "y": 0, "label": "cat"}
    return [{**box, "x": 0}, {**box, "x": width * 0.75}, {**box, "x": width * 0.4, "y": height * 0.7, "label": "dog"}]


@pytest.mark.parametrize("name", NAMES)
def test_boxes_guide_one_run_of_every_kind_of_model(name: str) -> None:
    one, make = BUILT[name]
    setup, run = make(name), one.run(2)
    plain, asked = sample(setup.model, setup, run), []
    guided, handle = with_numina(setup.model, NuminaSettings(), layout=drawn(setup, one.latent().shape))
    hook = setup.model.model.diffusion_model.register_forward_pre_hook(lambda *_: asked.append(1))
    try:
        samples = sample(guided, setup, run)
    finally:
        hook.remove()
    assert samples.isfinite().all() and not torch.equal(samples, plain)
    assert len(asked) == run.steps, "no step is made twice"
    record, belongs = handle.record_for(samples)
    assert belongs and isinstance(record, EmptyRun) and "followed your own layout" in record.why
    still, _ = with_numina(setup.model, NuminaSettings(strength=0.0), layout=drawn(setup, one.latent().shape))
    assert torch.equal(sample(still, setup, run), plain)


def test_a_noun_is_added_in_its_boxes_and_removed_everywhere_else(monkeypatch: pytest.MonkeyPatch) -> None:
    setup = shapes_setup("two circles")
    boxes = [{"x": 8, "y": 8, "width": 32, "height": 32}, {"x": 80, "y": 80, "width": 32, "height": 32}]
    guided, _ = with_numina(setup.model, NuminaSettings(), layout=boxes)
    layouts = []
    real = Layouts.of_boxes
    monkeypatch.setattr(Layouts, "of_boxes", lambda *given: layouts.append(real(*given)) or layouts[-1])
    sample(guided, setup, Run(steps=1))
    (layout,) = layouts
    assert layout.after.shape == (1, 1, 16, 16) and layout.asked == (2,)
    assert (layout.after[0, 0, 1:5, 1:5] == 100).all() and (layout.after[0, 0, 10:14, 10:14] == 101).all()
    assert int((layout.after >= 100).sum()) == 32 and int((layout.after == -1).sum()) == 256 - 32


@pytest.mark.parametrize(("name", "raised"), [("Stable Diffusion 1.5", 10.5), ("Flux 1", 3.5), ("Wan 2.1", 10.5)])
def test_how_far_scores_rise_and_fall(name: str, raised: float, monkeypatch: pytest.MonkeyPatch) -> None:
    """At the first step 1.75 times 6 and 10; a joint attention, whose text takes from the image, gets a third of the rise."""
    one, make = BUILT[name]
    setup, biases = make(name), []
    guided, _ = with_numina(setup.model, NuminaSettings(), layout=drawn(setup, one.latent().shape))
    real = guided_rows.write_rows
    monkeypatch.setattr(guided_rows, "write_rows", lambda *given: biases.append(given[-1]) or real(*given))
    sample(guided, setup, one.run(1))
    assert max(float(bias.max()) for bias in biases) == pytest.approx(raised)
    assert min(float(bias.min()) for bias in biases) == pytest.approx(-17.5)


def test_a_layout_that_does_not_fit_the_prompt_ends_the_run() -> None:
    setup = shapes_setup("two circles")
    guided, _ = with_numina(setup.model, NuminaSettings(), layout=[{"x": 0, "y": 0, "width": 9, "height": 9}])
    with pytest.raises(CountError, match="has 1 box for 'circles', but the prompt asks for 2"):
        sample(guided, setup, Run(steps=2))


def test_a_run_from_the_middle_of_the_noise_follows_boxes_too() -> None:
    setup = shapes_setup("one circle")
    guided, _ = with_numina(setup.model, NuminaSettings(), layout={"x": 0, "y": 0, "width": 64, "height": 64})
    run = Run(steps=4, denoise=0.5, latent=torch.ones(1, 8, 16, 16))
    assert not torch.equal(sample(guided, setup, run), sample(setup.model, setup, run))


def test_the_second_half_of_a_model_follows_the_boxes() -> None:
    one, make = BUILT["Wan 2.1"]
    setup, shared = make("Wan 2.1"), SharedGuide()
    guided, _ = with_numina(setup.model, NuminaSettings(), None, shared, drawn(setup, one.latent().shape))
    sample(guided, setup, one.run())
    (kept,) = shared._guides
    assert kept[0].layouts.after.shape[1] == one.latent().shape[2]
