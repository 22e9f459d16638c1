"""Boxes of an own layout are in pixels of the images that a latent is of."""

from __future__ import annotations

from types import SimpleNamespace

import comfy.latent_formats
import pytest
from comfy_extras.nodes_bounding_boxes import CreateBoundingBoxes
from headcount.bridge.counters.layout import run_layout
from headcount.core.counting import UnitBox
from headcount.core.errors import CountError
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


def test_what_comfyuis_own_editor_gives() -> None:
    """Its elements carry the words that were written beside each box, its bboxes do not."""
    pets = CountedObject("cats", 2), CountedObject("dog", 1)
    drawn = [
        {"x": 0, "y": 0, "width": 512, "height": 256, "metadata": {"type": "obj", "desc": "a red cat"}},
        {"x": 512, "y": 0, "width": 512, "height": 256, "metadata": {"type": "obj", "desc": "cat"}},
        {"x": 256, "y": 512, "width": 512, "height": 512, "metadata": {"type": "obj", "desc": "Dog"}},
    ]
    _, bare, elements = CreateBoundingBoxes.execute(1024, 1024, drawn).args
    model = SimpleNamespace(latent_format=comfy.latent_formats.SD15())
    cats = UnitBox(0, 0, 0.5, 0.25), UnitBox(0.5, 0, 1, 0.25)
    for shape in ((1, 4, 128, 128), (1, 4, 64, 96)):  # elements fit any size
        assert run_layout(elements, pets, model, shape) == ((cats, (UnitBox(0.25, 0.5, 0.75, 1),)),)
    assert run_layout(bare, (CountedObject("cats", 3),), model, (1, 4, 128, 128))[0][0][:2] == cats
    with pytest.raises(CountError, match="Create Bounding Boxes gives its labels at elements, its bboxes have none"):
        run_layout(bare, pets, model, (1, 4, 128, 128))
