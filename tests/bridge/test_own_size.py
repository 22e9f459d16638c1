"""A note where an image is of a size far from its model's own."""

from __future__ import annotations

import logging
from types import SimpleNamespace
from typing import Any

import comfy.supported_models
import pytest
import torch
from headcount.bridge.comfyui.run_notes import RunNotes
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.sampling.own_size import FAR, warn_of_size

from ..helpers.models import Run, sample, shapes_setup, smallest

NODES = {
    "Count Control": lambda model: with_isac(model, IsacSettings()),
    "Count Guide": lambda model: with_numina(model, NuminaSettings()),
    "Attention Map Recorder": with_recorder,
}


def said(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [one.getMessage() for one in caplog.records if "is made for" in one.getMessage()]


@pytest.mark.parametrize("node", NODES)
def test_the_demo_model_says_when_a_size_is_not_its_own(node: str, caplog: pytest.LogCaptureFixture) -> None:
    setup = shapes_setup()
    model, _ = NODES[node](setup.model)
    with caplog.at_level(logging.WARNING):
        sample(model, setup, Run(steps=1, size=(16, 20)))
        assert said(caplog) == []
        sample(model, setup, Run(steps=1, size=(32, 24)))
    assert said(caplog) == [
        f"{node}: 192 x 256 is far from the 128 x 128 that this model is made for: objects multiply or melt together. Choose "
        "a size nearer to it"
    ]


@pytest.mark.parametrize(
    ("kind", "side"), [(comfy.supported_models.SD15, 512), (comfy.supported_models.SDXL, 1024)], ids=["SD15", "SDXL"]
)
def test_stable_diffusions_own_sizes(kind: Any, side: int, caplog: pytest.LogCaptureFixture) -> None:
    sampling = smallest(False).model.get_model_object("model_sampling")
    config = kind({**kind.unet_config, "model_channels": 320})
    model = SimpleNamespace(
        model_config=config, model_sampling=sampling, latent_format=SimpleNamespace(spacial_downscale_ratio=8)
    )
    first, cells = sampling.sigma_max.reshape(1), side // 8

    def notes_of(height: int, width: int, sigmas: torch.Tensor = first, config: Any = config) -> int:
        caplog.clear()
        model.model_config = config
        warn_of_size(model, torch.zeros(1, 4, height, width), sigmas, RunNotes("a node"))
        return len(said(caplog))

    assert notes_of(cells, cells) == 0 and notes_of(cells, int(cells * FAR)) == 0
    assert notes_of(cells, int(cells * FAR) + 1) == 1 and notes_of(cells // 2, cells // 2) == 1
    late = torch.tensor([sampling.percent_to_sigma(0.5)])
    assert notes_of(2 * cells, 2 * cells, late) == 0, "a second sampler goes on from an enlarged image"
    small = kind({**kind.unet_config, "model_channels": 32})
    assert notes_of(2 * cells, 2 * cells, config=small) == 0


def test_comfyui_is_asked_for_nothing_that_it_lacks(caplog: pytest.LogCaptureFixture) -> None:
    """Its configurations warn in the console of every attribute that they do not have."""
    sampling = smallest(False).model.get_model_object("model_sampling")
    config = comfy.supported_models.WAN21_T2V({"image_model": "wan2.1"})
    model = SimpleNamespace(model_config=config, model_sampling=sampling, latent_format=None)
    warn_of_size(model, torch.zeros(1, 4, 8, 8), sampling.sigma_max.reshape(1), RunNotes("a node"))
    assert caplog.records == []
