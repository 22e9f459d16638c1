"""What was counted in a batch of images: the result of every counter, and what checks and searches read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ..errors import CountError

Point = tuple[float, float]
"""(x, y) in pixels of the image."""

_BOX_KEYS = ("x", "y", "width", "height", "label", "score")


@dataclass(frozen=True)
class Counted:
    """Counts of N images and K nouns. Travels as COUNTED.

    Attributes:
        nouns: the K nouns, as they were asked for.
        numbers: (N, K) counts on the CPU, float32, 0 or more; a counting network's are not whole.
        points: per image and noun, where the objects are, strongest first; empty tuples where a counter gives none.
        boxes: per image, a BOUNDING_BOX dict (x, y, width, height in pixels, label, score) for each object that the counter
            saw; None where a counter gives none.
        masks: (N, K, H, W) in 0..1 of the images' own size, where each noun is; None where a counter gives none.
        object_masks: per image, a (h, w) bool mask for each of its `boxes`: the pixels of the object among those that the box
            touches; None where a counter gives none. `object_masks` of this package makes masks of the images' size of them.

    Raises:
        CountError: the parts do not fit each other.
    """

    nouns: tuple[str, ...]
    numbers: Tensor
    points: tuple[tuple[tuple[Point, ...], ...], ...]
    boxes: tuple[list[dict[str, Any]], ...] | None = None
    masks: Tensor | None = None
    object_masks: tuple[tuple[Tensor, ...], ...] | None = None

    def __post_init__(self) -> None:
        if self.numbers.ndim != 2 or self.numbers.shape[1] != len(self.nouns) or len(self.points) != len(self.numbers):
            raise CountError(
                f"counts of shape {tuple(self.numbers.shape)} and points of {len(self.points)} images "
                f"do not fit {len(self.nouns)} nouns; the shape has to be (images, nouns), with points of each image"
            )
        self._check_boxes()
        self._check_masks()
        self._check_object_masks()

    def _check_boxes(self) -> None:
        if self.boxes is None:
            return
        if len(self.boxes) != len(self.numbers):
            raise CountError(f"boxes of {len(self.boxes)} images do not fit counts of {len(self.numbers)}")
        missing = {key for boxes in self.boxes for box in boxes for key in _BOX_KEYS if key not in box}
        if missing:
            raise CountError(f"a box of a counter has no {', '.join(sorted(missing))}; it needs {', '.join(_BOX_KEYS)}")

    def _check_masks(self) -> None:
        if self.masks is None:
            return
        if self.masks.ndim != 4 or self.masks.shape[:2] != self.numbers.shape:
            raise CountError(
                f"masks of shape {tuple(self.masks.shape)} do not fit counts of {len(self.numbers)} images and "
                f"{len(self.nouns)} nouns; the shape has to be (images, nouns, height, width)"
            )
        if self.masks.numel() and not (float(self.masks.min()) >= 0 and float(self.masks.max()) <= 1):
            raise CountError("masks of a counter must hold numbers from 0 to 1")

    def _check_object_masks(self) -> None:
        if self.object_masks is None:
            return
        masks, boxes = [len(one) for one in self.object_masks], [len(one) for one in self.boxes or ()]
        if masks != boxes:
            raise CountError(f"a counter gives {masks} masks of objects for {boxes} boxes; each box needs its own")

    @property
    def rounded(self) -> Tensor:
        """(N, K) whole counts, int64; halves go up."""
        return (self.numbers + 0.5).floor().long()
