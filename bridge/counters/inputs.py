"""What nodes take from counters and detectors of any pack, checked where it comes in."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from typing import Any

from torch import Tensor

from ...core.counting import Counted, Counter
from ...core.errors import CountError


def checked_counter(counter: Any, node: str) -> Counter:
    """What is connected to a node's input for a counter.

    Raises:
        CountError: nothing is, or it cannot count.
    """
    if counter is None:
        raise CountError(
            f"{node} got no counter; connect COUNTER of SAM3 Counter, Detector Counter or Load Demo Model, or T2ICOUNT of Load "
            "T2ICount Model"
        )
    if not callable(getattr(counter, "count", None)):
        raise CountError(
            f"{node}: what is connected as its counter is of class {type(counter).__name__} and cannot count. Connect COUNTER "
            "of SAM3 Counter, Detector Counter or Load Demo Model, or T2ICOUNT of Load T2ICount Model"
        )
    return counter


def require_loader(node: str, **outputs: Any) -> None:
    """Check that the outputs of a loader, by name, are connected to a node.

    Raises:
        CountError: one is not.
    """
    for name, output in outputs.items():
        if output is None:
            raise CountError(f"{node} got no {name}; connect the loader's {name.upper()} output")


def count_with_progress(
    counter: Counter, images: Tensor, nouns: Sequence[str], on_progress: Callable[[int, int], None]
) -> Counted:
    """What a counter counts, see `Counter.count`; one whose method does not take `on_progress` counts without."""
    try:
        inspect.signature(counter.count).bind(images, nouns, on_progress=on_progress)
    except (TypeError, ValueError):  # it does not take it, or is no function of Python and does not say
        return counter.count(images, nouns)
    return counter.count(images, nouns, on_progress=on_progress)


def require_one_source(counted: Any, boxes: Any, node: str, images: str, source: str = "COUNTED of a counter") -> None:
    """Check that a node got its numbers from one side only.

    Args:
        counted: COUNTED, or a counter; None where nothing is connected.
        boxes: BOUNDING_BOX and the like; None alike.
        images: what the counter or detector has to have seen, in the words of the node.
        source: what `counted` is, alike.

    Raises:
        CountError: both are connected, or neither is.
    """
    if (counted is None) == (boxes is None):
        raise CountError(
            f"{node} needs either {source} or BOUNDING_BOX of a detector that saw {images}, and got "
            + ("neither" if counted is None else "both; disconnect one")
        )
