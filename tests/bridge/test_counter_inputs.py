"""Counters of any kind: T2ICount, the exact counter and others have the same method, and nodes take them all."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import pytest
import torch
from comfy_execution.validation import validate_node_input
from headcount.bridge.counters.inputs import checked_counter, require_one_source
from headcount.bridge.counters.maps import spread_counts, with_boxes
from headcount.bridge.t2icount.loaded import LoadedCounter
from headcount.core.counting import Counted, Counter
from headcount.core.errors import CountError
from headcount.nodes.count_search import CountSearch
from headcount.nodes.load_t2icount_model import LoadT2ICountModel
from headcount.nodes.t2icount_counter import T2ICountCounter
from torch import Tensor

from demo.exact_counter import ExactCounter

from ..helpers.counters import untrained_counter

NAMES = ("count", "exact", "density", "overlay", "similarity", "boxes", "counted", "table", "masks")
SIZE = (20, 30)


class Fixed:
    """A counter of another pack: gives what it was made with, and moves a bar."""

    def __init__(self, numbers: Sequence[Sequence[float]], points: Any = None, **parts: Any) -> None:
        self.numbers, self.parts = torch.tensor(numbers), parts
        self.points = points or tuple(((),) * len(row) for row in numbers)

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
        assert images.shape[-1] == 3 and on_progress is not None
        on_progress(1, 1)
        return Counted(tuple(nouns), self.numbers, self.points, **self.parts)


def run(counter: Any, images: Tensor, text: str) -> dict[str, Any]:
    with torch.inference_mode():
        return dict(zip(NAMES, T2ICountCounter.execute(counter, images, text, "short side").args, strict=True))


@pytest.mark.parametrize("counter", [LoadedCounter, ExactCounter, Fixed], ids=lambda kind: kind.__name__)
def test_counters_have_the_method(counter: Any) -> None:
    wanted = list(inspect.signature(Counter.count).parameters)
    assert list(inspect.signature(counter.count).parameters)[: len(wanted)] == wanted


@pytest.mark.parametrize(("node", "name"), [(CountSearch, "counter"), (T2ICountCounter, "t2icount")])
def test_links_of_both_types_are_valid(node: Any, name: str) -> None:
    """By ComfyUI's own check; a saved workflow has links of T2ICOUNT."""
    kind = node.INPUT_TYPES()["required"][name][0]
    assert LoadT2ICountModel.RETURN_TYPES == ["T2ICOUNT"]
    assert validate_node_input("T2ICOUNT", kind) and validate_node_input("HEADCOUNT_COUNTER", kind)
    assert not validate_node_input("HEADCOUNT_COUNTED", kind)


def test_what_cannot_count() -> None:
    with pytest.raises(
        CountError, match=r"^Count Search got no counter; connect COUNTER of SAM3 Counter, .* of Load T2ICount Model$"
    ):
        checked_counter(None, "Count Search")
    with pytest.raises(
        CountError, match=r"^Count Search: what is connected as its counter is of class dict and cannot"
    ):
        checked_counter({"count": 3}, "Count Search")
    with pytest.raises(
        CountError, match=r"Object Counter: what is connected .* class int and cannot count\. Connect COUNTER"
    ):
        run(3, torch.rand(1, *SIZE, 3), "cats")
    exact = ExactCounter()
    assert checked_counter(exact, "Count Search") is exact


@pytest.mark.parametrize(("counted", "boxes", "end"), [(None, None, "neither"), (1, [], "both; disconnect one")])
def test_one_source(counted: Any, boxes: Any, end: str) -> None:
    message = "A Node needs either COUNTED of a counter or BOUNDING_BOX of a detector that saw the images, and got "
    with pytest.raises(CountError) as error:
        require_one_source(counted, boxes, "A Node", "the images")
    assert str(error.value) == message + end
    require_one_source(None, [], "A Node", "the images")


def test_t2icount_gives_the_boxes_that_its_node_gives() -> None:
    counter, images = untrained_counter(), torch.rand(2, 128, 150, 3, generator=torch.Generator().manual_seed(0))
    found = run(counter, images, "circles, moons")
    with torch.inference_mode():
        counted = counter.count(images, ("circles", "moons"))
    assert list(counted.boxes) == found["boxes"] == list(found["counted"].boxes) and any(found["boxes"])
    assert counted.masks is None


def test_another_counter_in_the_node() -> None:
    """Its numbers, boxes around its points, and a density that sums to each number."""
    points = ((((3.0, 4.0), (20.5, 10.2)), ()), ((), ((29.9, 19.9),)))
    found = run(Fixed([[2.4, 0.0], [0.0, 1.0]], points), torch.rand(2, *SIZE, 3), "cats, dogs")
    assert found["count"] == [2, 0, 0, 1] and found["exact"] == pytest.approx([2.4, 0, 0, 1])
    torch.testing.assert_close(found["density"].sum((1, 2)), torch.tensor([2.4, 0, 0, 1]))
    assert float(found["density"][0, 4, 3]) == pytest.approx(1.2) and found["density"].shape == (4, *SIZE)
    assert found["overlay"].shape == (4, *SIZE, 3) and not found["similarity"].any()
    assert [[(box["label"], box["score"]) for box in boxes] for boxes in found["boxes"]] == [
        [("cats", 1.0)] * 2,
        [("dogs", 1.0)],
    ]
    assert found["table"].splitlines() == ["image 1: 2 cats (2.4), 0 dogs", "image 2: 0 cats, 1 dog"]


class OfTwoParameters(Fixed):
    """It knows nothing of progress."""

    def count(self, images: Tensor, nouns: Sequence[str]) -> Counted:  # type: ignore[override]
        return super().count(images, nouns, lambda done, parts: None)


class OfOtherOptions(Fixed):
    """Its third parameter is one of its own."""

    def count(self, images: Tensor, nouns: Sequence[str], threshold: float = 0.5, **options: Any) -> Counted:  # type: ignore[override]
        assert threshold == 0.5
        return super().count(images, nouns, **options)


class Compiled(Fixed):
    """Its method does not say what it takes, as those of compiled modules."""

    class Method:
        __signature__ = "none"

        def __init__(self, counter: Fixed) -> None:
            self.counter = counter

        def __call__(self, images: Tensor, nouns: Sequence[str]) -> Counted:
            return Fixed.count(self.counter, images, nouns, lambda done, parts: None)

    @property
    def count(self) -> Any:  # type: ignore[override]
        return self.Method(self)


@pytest.mark.parametrize("kind", [Fixed, OfTwoParameters, OfOtherOptions, Compiled])
def test_counters_with_and_without_progress(kind: type[Fixed]) -> None:
    assert run(kind([[3.0]]), torch.rand(1, *SIZE, 3), "cats")["count"] == [3]


def test_what_a_counter_raises_is_passed_on() -> None:
    """A TypeError inside of a counter is not taken for a method that does not take `on_progress`."""

    class Broken(Fixed):
        def count(self, images: Tensor, nouns: Sequence[str], on_progress: Any = None) -> Counted:
            raise TypeError("of its own")

    with pytest.raises(TypeError, match=r"^of its own$"):
        run(Broken([[3.0]]), torch.rand(1, *SIZE, 3), "cats")


def test_boxes_and_masks_of_a_counter_are_kept() -> None:
    box = {"x": 1, "y": 2, "width": 3, "height": 4, "label": "cats", "score": 0.5}
    masks = torch.zeros(1, 1, *SIZE)
    masks[..., :5, :5] = 0.5
    found = run(Fixed([[3.0]], boxes=([box],), masks=masks), torch.rand(1, *SIZE, 3), "cats")
    assert found["boxes"] == [[box]] and torch.equal(found["similarity"], masks[0])
    torch.testing.assert_close(found["density"], masks[0] * (3 / masks.sum()))


def test_a_counter_of_numbers_only() -> None:
    images = torch.rand(1, *SIZE, 3)
    found = run(Fixed([[3.0]]), images, "cats")
    torch.testing.assert_close(found["density"], torch.full((1, *SIZE), 3 / 600))
    assert found["boxes"] == [[]]
    assert torch.equal(found["overlay"][0, -1], images[0, -1]), "no heat where nothing says where it belongs"


def test_points_outside_of_the_image_count() -> None:
    counted = Counted(("cats",), torch.tensor([[2.0]]), ((((-3.0, 5.0), (31.0, 25.0)),),))
    density = spread_counts(counted, 0, SIZE)
    assert float(density[0, 5, 0]) == float(density[0, -1, -1]) == 1 and float(density.sum()) == 2


def test_boxes_around_points_are_scored_by_masks() -> None:
    masks = torch.zeros(1, 1, *SIZE)
    masks[..., 4, 3] = 0.75
    counted = Counted(("cats",), torch.tensor([[1.0]]), ((((3.0, 4.0),),),), masks=masks)
    (boxes,) = with_boxes(counted, SIZE).boxes
    assert [box["score"] for box in boxes] == [0.75]
