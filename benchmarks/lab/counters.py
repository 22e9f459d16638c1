"""Counters by name: counts are compared, and kept, under the name of what counted them.

A counter counts T2ICOUNT's way: K nouns in (N, H, W, 3) images of 0 to 1, as Count Search and the counting nodes ask it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from headcount.core.counting import Counted, Counter
from headcount.core.errors import CountError
from headcount.core.prompts import plural, same_noun
from torch import Tensor

from demo.exact_counter import ExactCounter
from demo.shapes import NOUNS

from .store import file_digest

if TYPE_CHECKING:
    from headcount.bridge.t2icount.loaded import LoadedCounter

OnProgress = Callable[[int, int], None] | None
SHIPPED_COUNTER = Path(__file__).resolve().parents[2] / "demo" / "weights" / "t2icount" / "shapes_counter.safetensors"
"""A T2ICount file for Shapes pictures."""


class NamedCounter(Counter, Protocol):
    """A counter that says what it is.

    Attributes:
        name: the counter and its settings; counts of one name can be compared.
        vocabulary: nouns that it tells apart whatever it is asked for; () where it looks for what is asked only.
    """

    name: str
    vocabulary: tuple[str, ...] = ()


class ExactShapes(ExactCounter):
    """The exact counter of the Shapes scenes."""

    name = "exact counter of the Shapes scenes"
    vocabulary = NOUNS

    def count(self, images: Tensor, nouns: Sequence[str], on_progress: OnProgress = None) -> Counted:
        """See `NamedCounter`; nouns in singular or plural.

        Raises:
            CountError: a noun is no shape.
        """
        unknown = [noun for noun in nouns if not any(same_noun(shape, noun) for shape in NOUNS)]
        if unknown:
            raise CountError(
                f"the Shapes counter does not know {unknown[0]!r}, only {', '.join(NOUNS)}. "
                "Give --detector the folder of a detector"
            )
        return super().count(images, nouns, on_progress)


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
