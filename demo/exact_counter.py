"""The exact counter of Shapes pictures as a counter for nodes, so that nodes can be measured apart from a network's errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from .counter import FoundShape, find_shapes


class ExactCounter:
    """Counts what `find_shapes` finds, in boxes whose scores are fits of 0 to 1; points are the centres of the boxes."""

    def count(self, images: Any, nouns: Sequence[str], on_progress: Callable[[int, int], None] | None = None) -> Any:
        """`Counted` of (N, H, W, 3) images, 0 to 1, about `SIZE` pixels wide.

        Args:
            nouns: in singular or plural, with or without a colour before them: a red star is one of "stars" too.
        """
        import torch
        from headcount.core.counting import Counted
        from headcount.core.drawing import pixels_of

        found = []
        for done, pixels in enumerate(pixels_of(images), 1):
            found.append(find_shapes(pixels))
            if on_progress is not None:
                on_progress(done, len(images))
        named = [[[one for one in shapes if _is_called(one, noun)] for noun in nouns] for shapes in found]
        numbers = torch.tensor([[len(some) for some in by_noun] for by_noun in named], dtype=torch.float32)
        points = tuple(tuple(tuple(map(_centre, some)) for some in by_noun) for by_noun in named)
        boxes = tuple([_box(one) for one in shapes] for shapes in found)
        return Counted(tuple(nouns), numbers.reshape(len(found), len(nouns)), points, boxes)


def _is_called(shape: FoundShape, noun: str) -> bool:
    from headcount.core.prompts import same_noun

    *colour, bare = noun.split()
    return same_noun(bare, shape.noun) and colour in ([], [shape.colour])


def _centre(shape: FoundShape) -> tuple[float, float]:
    left, top, right, bottom = shape.box
    return (left + right) / 2, (top + bottom) / 2


def _box(shape: FoundShape) -> dict[str, Any]:
    left, top, right, bottom = shape.box
    place = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return {**place, "label": shape.noun, "score": shape.fit}
