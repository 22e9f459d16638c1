"""Counters by name: counts are compared, and kept, under the name of what counted them.

A counter counts T2ICOUNT's way: K nouns in (N, H, W, 3) images of 0 to 1, as Count Search and the counting nodes ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import torch
from headcount.core.counting import Counted, Counter
from headcount.core.errors import CountError
from headcount.core.prompts import plural, same_noun
from torch import Tensor

from demo.counter import FoundShape, find_shapes
from demo.exact_counter import ExactCounter
from demo.shapes import NOUNS

from .store import file_digest

if TYPE_CHECKING:
    from headcount.bridge.t2icount.loaded import LoadedCounter

OnProgress = Callable[[int, int], None] | None


class NamedCounter(Counter, Protocol):
    """A counter that says what it is.

    Attributes:
        name: the counter and its settings; counts of one name can be compared.
        vocabulary: nouns that it tells apart whatever it is asked for; () where it looks for what is asked only.
    """

    name: str
    vocabulary: tuple[str, ...] = ()


def images_of(pixels: np.ndarray) -> Tensor:
    """(N, H, W, 3) uint8 pixels as the images that counters take."""
    return torch.tensor(pixels).float() / 255


def pixels_of(images: Tensor) -> np.ndarray:
    """(N, H, W, 3) uint8: what `images_of` made images of."""
    return (images * 255).round().byte().cpu().numpy()


class ExactShapes:
    """The exact counter of the Shapes scenes."""

    name = "exact counter of the Shapes scenes"
    vocabulary = NOUNS

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`; nouns in singular or plural.

        Raises:
            CountError: a noun is no shape.
        """
        known = [next((shape for shape in NOUNS if same_noun(shape, noun)), None) for noun in nouns]
        if None in known:
            raise CountError(
                f"the Shapes counter does not know {nouns[known.index(None)]!r}, only {', '.join(NOUNS)}. "
                "Give --detector the folder of a detector"
            )
        return replace(ExactCounter().count(images, known, on_progress), nouns=tuple(nouns))


class ShapesJudge:
    """The exact counter of the Shapes scenes with boxes, whose scores are fits of 0 to 1; it knows "red stars" from stars."""

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `Counter`; nouns in singular or plural, with or without a colour before them."""
        found = [find_shapes(picture) for picture in pixels_of(images)]
        numbers = [[sum(_is_called(one, noun) for one in shapes) for noun in nouns] for shapes in found]
        boxes = tuple([_box(one) for one in shapes] for shapes in found)
        nowhere = tuple(((),) * len(nouns) for _ in found)
        return Counted(tuple(nouns), torch.tensor(numbers, dtype=torch.float32), nowhere, boxes)


def _is_called(shape: FoundShape, noun: str) -> bool:
    *colour, bare = noun.split()
    return same_noun(bare, shape.noun) and colour in ([], [shape.colour])


def _box(shape: FoundShape) -> dict[str, Any]:
    left, top, right, bottom = shape.box
    place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**place, "label": shape.noun, "score": shape.fit}


class T2ICountFile:
    """A T2ICount checkpoint.

    Args:
        file: of the authors or of this pack's training.

    Raises:
        CountError: there is no such file, or it holds something else.
    """

    vocabulary = ()

    def __init__(self, file: Path) -> None:
        if not file.is_file():
            raise CountError(f"there is no file {file}. Give --detector t2icount:FILE")
        self._counter = t2icount_counter(file)
        self.name = f"T2ICount {file.name} {file_digest(file)}"

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`; nouns in singular or plural."""
        asked = [plural(noun.lower()) for noun in nouns]
        return replace(self._counter.count(images, asked, on_progress), nouns=tuple(nouns))


def t2icount_counter(file: Path) -> LoadedCounter:
    """A T2ICount file in fp32, which gives the numbers of the authors; ComfyUI, imported here only, says where it runs."""
    from headcount.bridge.t2icount.loaded import counter_of_file

    return counter_of_file(file)
