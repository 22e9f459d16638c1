"""A latent without a picture, as a count of 0 at batch_size makes it, is refused before the first step."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.bridge.numina.node import with_numina
from headcount.bridge.numina.settings import NuminaSettings
from headcount.bridge.recording.recorder import with_recorder
from headcount.bridge.sampling.start_latent import start_samples
from headcount.core.errors import CountError

from ..helpers.models import Run, sample, shapes_setup

NODES: dict[str, Callable[[Any], Any]] = {
    "Attention Map Recorder": with_recorder,
    "Count Control": lambda model: with_isac(model, IsacSettings()),
    "Count Guide": lambda model: with_numina(model, NuminaSettings()),
}


@pytest.mark.parametrize("node", NODES)
def test_a_model_that_is_watched_or_steered(node: str) -> None:
    setup = shapes_setup()
    with pytest.raises(CountError, match=f"{node} got a latent without an image: its batch_size is 0. Set it to 1"):
        sample(NODES[node](setup.model)[0], setup, Run(steps=2, batch=0))


def test_a_search() -> None:
    with pytest.raises(CountError, match="Count Search got a latent without an image"):
        start_samples(shapes_setup().model, {"samples": torch.zeros(0, 4, 16, 16)}, "Count Search")
