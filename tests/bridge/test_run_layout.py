"""Boxes of an own layout are in pixels of the images that a latent is of."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.latent_formats
import pytest
from headcount.bridge.counters.layout import run_layout
from headcount.core.counting import UnitBox
from headcount.core.prompts import CountedObject


@pytest.mark.parametrize(
    ("latents", "shape"),
    [(comfy.latent_formats.SD15, (2, 4, 32, 64)), (comfy.latent_formats.Wan22, (2, 48, 5, 16, 32))],
)
def test_the_same_box_for_every_item_of_the_batch(latents: type, shape: tuple[int, ...]) -> None:
    model = SimpleNamespace(latent_format=latents())
    box = {"x": 128, "y": 64, "width": 256, "height": 192, "label": "cat"}
    layout = (((UnitBox(0.25, 0.25, 0.75, 1),),),)
    assert run_layout(box, (CountedObject("cat", 1),), model, shape) == layout * 2
