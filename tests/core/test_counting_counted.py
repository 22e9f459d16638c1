"""What a counter gives: its parts fit each other, or it says which do not."""

from __future__ import annotations

import inspect
from dataclasses import replace
from typing import Any

import pytest
import torch
from headcount.core.counting import Counted, Counter
from headcount.core.errors import CountError

BOX = {"x": 1, "y": 2, "width": 3, "height": 4, "label": "cats", "score": 0.5}


def counted(**parts: Any) -> Counted:
    """Of two images and the noun "cats"."""
    return Counted(("cats",), torch.tensor([[1.0], [0.0]]), (((),), ((),)), **parts)


def test_boxes_and_masks_may_be_missing() -> None:
    bare = counted()
    assert bare.boxes is None and bare.masks is None


def test_boxes_and_masks_that_fit() -> None:
    masks = torch.rand(2, 1, 4, 6)
    whole = counted(boxes=([BOX], []), masks=masks)
    assert whole.boxes == ([BOX], []) and whole.masks is masks
    assert counted(masks=torch.zeros(2, 1, 0, 0)).masks is not None, "an image of no pixels"


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ({"boxes": ([BOX],)}, "boxes of 1 images do not fit counts of 2"),
        (
            {"boxes": ([BOX], [{"x": 1, "y": 2, "width": 3, "height": 4, "label": "cats"}])},
            "a box of a counter has no score; it needs x, y, width, height, label, score",
        ),
        ({"masks": torch.zeros(2, 4, 6)}, r"masks of shape \(2, 4, 6\) do not fit counts of 2 images and 1 nouns"),
        ({"masks": torch.zeros(2, 3, 4, 6)}, r"the shape has to be \(images, nouns, height, width\)"),
        ({"masks": torch.full((2, 1, 4, 6), 1.5)}, "masks of a counter must hold numbers from 0 to 1"),
        ({"masks": torch.full((2, 1, 4, 6), torch.nan)}, "masks of a counter must hold numbers from 0 to 1"),
    ],
)
def test_parts_that_do_not_fit(parts: dict[str, Any], message: str) -> None:
    with pytest.raises(CountError, match=message):
        counted(**parts)


@pytest.mark.parametrize("shape", [(2,), (2, 3), (3, 1), (2, 1, 1)])
def test_numbers_that_do_not_fit(shape: tuple[int, ...]) -> None:
    with pytest.raises(CountError) as raised:
        replace(counted(), numbers=torch.zeros(shape))
    assert str(raised.value) == (
        f"counts of shape {shape} and points of 2 images do not fit 1 nouns; the shape has to be (images, nouns), with "
        "points of each image"
    )


def test_a_counter_needs_one_method() -> None:
    public = [name for name in vars(Counter) if not name.startswith("_")]
    assert public == ["count"]
    assert list(inspect.signature(Counter.count).parameters) == ["self", "images", "nouns", "on_progress"]
