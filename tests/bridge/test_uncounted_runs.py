"""Runs whose prompt counts nothing, or too much, on a model that an earlier run has left maps with."""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import folder_paths
import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.maps import NOTHING_COUNTED, MapsHandle
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.views.instances import find_instances
from headcount.bridge.views.viewer import ViewSettings, view_maps
from headcount.bridge.views.viewer_data import viewer_output
from headcount.core.prompts import CONDITIONING_KEY, Counts
from headcount.nodes.attention_map_viewer import AttentionMapViewer
from headcount.nodes.instance_masks import InstanceMasks
from torch import Tensor

from ..helpers.models import Run, sample, shapes_setup
from ..helpers.video_models import VIDEOS, built_video

NODES: dict[str, Callable[[Any], tuple[Any, MapsHandle]]] = {
    "Count Control": lambda model: with_isac(model, IsacSettings()),
    "Count Guide": lambda model: with_numina(model, NuminaSettings()),
    "Attention Map Recorder": with_recorder,
}
every_node = pytest.mark.parametrize("node", NODES)
RUN = Run(steps=3, batch=2, size=(16, 12))
PIXELS = (128, 96)


@dataclass(frozen=True)
class After:
    """What is left of a run that counts and of one, with the same model, that does not."""

    maps: MapsHandle
    counted: Tensor
    uncounted: Tensor


@pytest.fixture(scope="module", params=NODES)
def after(request: pytest.FixtureRequest) -> After:
    setup = shapes_setup()
    model, maps = NODES[request.param](setup.model)
    counted = sample(model, setup, RUN)
    return After(maps, counted, sample(model, setup, RUN, positive=shapes_setup("some hearts on a table").positive))


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    """The pack's own warnings; ComfyUI warns of models that other tests hold on to."""
    own = [one for one in caplog.records if one.name.startswith("headcount")]
    return [one.getMessage() for one in own if one.levelno == logging.WARNING]


@pytest.mark.parametrize("which", ["found", "asked", "layout"])
def test_no_masks(which: Any, after: After) -> None:
    found = find_instances(after.maps, after.uncounted, 1, which, 0.5)
    assert found.masks.shape == (1, *PIXELS) and not found.masks.any()
    assert found.boxes == () and found.text == NOTHING_COUNTED


@pytest.mark.parametrize("show", ["words", "regions", "steps", "layout"])
def test_the_bare_picture(show: Any, after: After) -> None:
    image = torch.rand(2, *PIXELS, 4)
    view = view_maps(after.maps, after.uncounted, image, ViewSettings(show, "dragons"))
    assert torch.equal(view.pictures, image[..., :3]) and view.text == NOTHING_COUNTED
    assert view.masks.shape == (2, *PIXELS) and not view.masks.any()
    grey = view_maps(after.maps, after.uncounted, None, ViewSettings(show))
    assert grey.pictures.shape == (2, *PIXELS, 3) and grey.pictures.unique().numel() == 1


def test_the_page_gets_no_view(after: After, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder_paths, "temp_directory", str(tmp_path))
    assert viewer_output(after.maps, after.uncounted, None) == {"headcount_viewer_note": [NOTHING_COUNTED]}
    assert not list(tmp_path.iterdir())


def test_the_nodes(after: After) -> None:
    samples = {"samples": after.uncounted}
    shown = AttentionMapViewer.execute(after.maps, samples, "words", "", 0.7, "per word")
    assert shown.args[2] == NOTHING_COUNTED and len(shown.ui["images"]) == 2
    masks, count, boxes, text = InstanceMasks.execute(after.maps, samples, "found", 0, 0.5).args
    assert masks.shape == (1, *PIXELS) and (count, boxes, text) == (0, [[]], NOTHING_COUNTED)


def test_the_earlier_run_keeps_its_maps(after: After) -> None:
    assert NOTHING_COUNTED not in view_maps(after.maps, after.counted, None, ViewSettings()).text
    assert NOTHING_COUNTED not in find_instances(after.maps, after.counted, 0, "asked", 0.5).text


def test_an_unknown_latent_is_of_the_newest_run(after: After) -> None:
    unknown = after.uncounted * 1.5
    assert find_instances(after.maps, unknown, 0, "found", 0.5).text == NOTHING_COUNTED
    assert view_maps(after.maps, unknown, None, ViewSettings()).text == NOTHING_COUNTED


@every_node
def test_the_log_says_so_once(node: str, caplog: pytest.LogCaptureFixture) -> None:
    setup = shapes_setup("")
    model, maps = NODES[node](setup.model)
    samples = sample(model, setup, RUN)
    assert torch.equal(samples, sample(setup.model, setup, RUN)), "the plain picture"
    done = "recorded" if "Recorder" in node else "steered"
    assert said(caplog) == [f"{node}: the prompt counts nothing: this image is not {done}"]
    assert find_instances(maps, samples, 0, "found", 0.5).text.startswith("The prompt of this run counts nothing")


@every_node
@pytest.mark.parametrize(("prompt", "asked"), [("four hearts and four stars", 8), ("five hearts and four stars", 9)])
def test_more_than_8(node: str, prompt: str, asked: int, caplog: pytest.LogCaptureFixture) -> None:
    setup = shapes_setup(prompt)
    sample(NODES[node](setup.model)[0], setup, replace(RUN, batch=1))
    warning = (
        f"{node}: {asked} objects are asked for; the methods are designed for up to 8, so fewer images will be right"
    )
    assert said(caplog) == ([warning] if asked > 8 and "Recorder" not in node else [])


def test_a_video() -> None:
    one = next(one for one in VIDEOS if one.name == "Wan 2.1")
    setup = built_video(one.name)
    nothing = [[text, {**options, CONDITIONING_KEY: Counts("", ())}] for text, options in setup.positive]
    model, maps = with_numina(setup.model, NuminaSettings())
    samples = sample(model, setup, one.run(), positive=nothing)
    size = tuple(8 * side for side in samples.shape[-2:])
    assert find_instances(maps, samples, 2, "layout", 0.5).masks.shape == (1, *size)
    clip = torch.rand(9, *size, 3)
    assert torch.equal(view_maps(maps, samples, clip, ViewSettings()).pictures, clip)
