"""An artist's own layout on the Shapes model: objects form in their boxes, also a single one, and wrong boxes are refused."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from headcount.bridge.isac.control import IsacSettings, with_isac
from headcount.core.errors import CountError

from demo.counter import find_shapes

from ..helpers.models import Run, sample, shapes, shapes_setup

BOXES = [
    {"x": x, "y": y, "width": 48, "height": 48, "label": label}
    for x, y, label in ((0, 0, "circle"), (80, 0, "circle"), (0, 80, "star"), (80, 80, "star"))
]


def in_their_boxes(layout: Any, prompt: str, boxes: list[dict[str, Any]], seed: int = 5) -> int:
    """How many boxes have the centre of a shape of their noun in them."""
    setup = shapes_setup(prompt)
    model = setup.model if layout is None else with_isac(setup.model, IsacSettings(), None, layout)[0]
    with torch.inference_mode():
        pixels = shapes().vae.decode(sample(model, setup, Run(steps=12, seed=seed)))[0].mul(255).round().byte().numpy()
    centres = [(one.noun, (one.box[0] + one.box[2]) / 2, (one.box[1] + one.box[3]) / 2) for one in find_shapes(pixels)]
    return sum(
        any(
            noun == box["label"] and 0 <= x - box["x"] <= box["width"] and 0 <= y - box["y"] <= box["height"]
            for noun, x, y in centres
        )
        for box in boxes
    )


def test_objects_form_in_their_boxes() -> None:
    prompt = "two circles and two stars"
    assert in_their_boxes(BOXES, prompt, BOXES) > 1 + in_their_boxes(None, prompt, BOXES)


@pytest.mark.parametrize("seed", [5, 6])
def test_a_single_object_goes_where_its_box_is(seed: int) -> None:
    corner = [{**BOXES[0], "x": 80, "y": 80}]
    assert in_their_boxes(None, "a circle", corner, seed) == 0 < in_their_boxes(corner, "a circle", corner, seed)


def test_a_single_object_without_a_layout_is_left_alone(caplog: pytest.LogCaptureFixture) -> None:
    setup = shapes_setup("a circle")
    steered = sample(with_isac(setup.model, IsacSettings())[0], setup, Run())
    assert torch.equal(steered, sample(setup.model, setup, Run()))
    assert "asks for one object, so nothing is steered" in caplog.text


def test_boxes_of_other_things_are_refused() -> None:
    setup = shapes_setup("two circles and two stars")
    model, _ = with_isac(setup.model, IsacSettings(), None, BOXES[:3])
    with pytest.raises(CountError, match=r"1 box for .stars., but the prompt asks for 2"):
        sample(model, setup, Run())


def test_the_papers_objective_takes_no_layout() -> None:
    with pytest.raises(CountError, match="disconnect the layout"):
        with_isac(shapes_setup().model, IsacSettings("paper"), None, BOXES)
