"""The exact counter of Shapes pictures as a counter for nodes, so that nodes can be measured apart from a network's errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .counter import find_shapes


class ExactCounter:
    """Counts what `find_shapes` finds; a picture's points are the middles of its shapes.

    Attributes:
        pictures: how many were counted so far.
    """

    def __init__(self) -> None:
        self.pictures = 0

    def count(self, images: Any, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None) -> Any:
        """`Counted` of (N, H, W, 3) images, 0 to 1, about `SIZE` pixels wide."""
        from headcount.core.counting import counted_from_boxes

        boxes = []
        for done, picture in enumerate(images, 1):
            shapes = find_shapes((picture.numpy() * 255).round().astype(np.uint8))
            boxes.append([_box(one.box, one.noun) for one in shapes])
            if on_progress is not None:
                on_progress(done, len(images))
        self.pictures += len(boxes)
        return counted_from_boxes(boxes, nouns, len(boxes))


def _box(box: tuple[int, int, int, int], noun: str) -> dict[str, Any]:
    left, top, right, bottom = box
    return {"x": left, "y": top, "width": right - left, "height": bottom - top, "label": noun}
