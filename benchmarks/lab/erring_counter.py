"""A counter that errs on purpose: what a method gains must not hang on a counter that is always right."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from headcount.core.counting import Counted, Counter, counted_from_boxes
from torch import Tensor

ERROR_SHARE = 0.1
"""Share of the images that are miscounted."""


@dataclass(frozen=True)
class ErringCounter:
    """Miscounts that share of the images by one object: it overlooks one, or sees another beside it.

    What an image is counted as hangs on its pixels alone, so that asking again helps nobody.

    Attributes:
        counter: what it would see; has to give boxes.
    """

    counter: Counter

    def count(
        self, images: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None
    ) -> Counted:
        """As `Counter.count`; where nothing is seen, nothing is miscounted."""
        seen = self.counter.count(images, nouns, on_progress=on_progress).boxes or ()
        told = [_miscounted(boxes, image) for boxes, image in zip(seen, images, strict=True)]
        return replace(counted_from_boxes(told, nouns, len(told)), boxes=tuple(told))


def _miscounted(boxes: list[dict[str, Any]], image: Tensor) -> list[dict[str, Any]]:
    chance = random.Random(hashlib.sha256(image.cpu().numpy().tobytes()).digest())
    if not boxes or chance.random() >= ERROR_SHARE:
        return boxes
    chosen = chance.randrange(len(boxes))
    box = boxes[chosen]
    beside = box["x"] - box["width"] if box["x"] >= box["width"] else box["x"] + box["width"]
    instead = [box, {**box, "x": beside}] if chance.random() < 0.5 else []
    return [*boxes[:chosen], *instead, *boxes[chosen + 1 :]]
