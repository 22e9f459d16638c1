"""Count Check: keeps the images of a batch that show what was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from comfy_execution.graph_utils import ExecutionBlocker
from torch import Tensor

from ...core.counting import (
    USUAL,
    BoxSettings,
    CountCheck,
    Counted,
    asked_as_counted,
    box_labels,
    check_counts,
    count_boxes,
    count_words,
)
from ...core.errors import CountError
from ...core.prompts import CountedObject, Counts, parse_objects_line
from ..comfyui.node_text import NodeResult
from .inputs import require_one_source

NODE = "Count Check"
BEST, STOP = "best picture", "stop"


@dataclass(frozen=True)
class Checked:
    """What Count Check hands on.

    Attributes:
        right: (R, H, W, C) the right images, or what stands for them when none is; blocked where nothing may follow.
        best: (1, H, W, C) the image nearest to what was asked; blocked alike.
        best_index: its place in the batch, the first one is 0; blocked alike.
        number: how many images are right.
        table: one line per image.
        result: what the node says of it.
        shown: (S, H, W, C) what the node itself shows, never blocked.
    """

    right: Tensor | ExecutionBlocker
    best: Tensor | ExecutionBlocker
    best_index: int | ExecutionBlocker
    number: int
    table: str
    result: NodeResult
    shown: Tensor


def asked_for(counts: Counts | None, objects: str) -> tuple[CountedObject, ...]:
    """The objects of the objects line, or of COUNTS where that line is empty.

    Raises:
        CountError: there is neither, or the line is malformed.
    """
    asked = parse_objects_line(objects) or (None if counts is None else counts.objects)
    if asked is None:
        raise CountError(
            f"{NODE} does not know what was asked for. Connect COUNTS of Count Prompt, or write objects, as '3 cats, 1 dog'"
        )
    return tuple(asked)


def check_pictures(
    image: Tensor,
    counted: Counted | None,
    boxes: Any,
    asked: Sequence[CountedObject],
    tolerance: int,
    if_none_right: str,
    box_settings: BoxSettings = USUAL,
) -> Checked:
    """Compare the counts of images with what was asked, and keep the right images.

    Args:
        image: (N, H, W, C) images.
        counted: their counts; without them `boxes` are counted.
        boxes: BOUNDING_BOX of a detector that saw the images, or another form that `read_boxes` knows.
        asked: what was asked for; adjectives matter where they were counted ("red cats" and "blue cats").
        if_none_right: BEST or STOP.
        box_settings: which boxes count.

    Raises:
        CountError: the inputs do not fit each other; the message says which.
    """
    require_one_source(counted, boxes, NODE, "these images")
    names = box_labels(boxes, len(image)) if counted is None else counted.nouns
    wanted, told = asked_as_counted(asked, names)
    notes: tuple[str, ...] = ()
    if counted is None:
        found_boxes = count_boxes(boxes, wanted, len(image), box_settings)
        counted, wanted, notes = found_boxes.counted, found_boxes.asked, found_boxes.notes
    if len(counted.numbers) != len(image):
        raise CountError(
            f"{NODE} got {count_words(len(image), 'images')} and counts of {len(counted.numbers)}. Connect the IMAGE that "
            "was counted"
        )
    check = check_counts(counted, wanted, tolerance, (*notes, *([told] if told else [])))
    best = image[check.best : check.best + 1]
    right = image[list(check.right)] if check.right else best
    passes = bool(check.right) or if_none_right == BEST
    result = _result_of(check, len(image), passes)
    if passes:
        return Checked(right, best, check.best, len(check.right), check.table, result, right)
    blocked = ExecutionBlocker(
        None
    )  # with a message the page would open an error over the graph; the node says it instead
    return Checked(blocked, blocked, blocked, 0, check.table, result, best)


def _result_of(found: CountCheck, pictures: int, passes: bool) -> NodeResult:
    """The verdict before the table, whose last line it is."""
    if found.right:
        what = f"best: image {found.best + 1}"
    else:
        what = f"passed on the nearest, image {found.best + 1}" if passes else "nothing passed on"
    return NodeResult(
        verdict=f"{len(found.right)} of {pictures} right; {what}",
        right=bool(found.right),
        marks=tuple(index in found.right for index in range(pictures)),
        table="\n".join(found.table.splitlines()[:-1]),
    )
