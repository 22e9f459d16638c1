"""Boxes for each prompt of a benchmark, put into a workflow with GLIGEN.

The file has one JSON object a line: {"prompt": "two owls and a pot", "boxes": {"owl": [[32, 64, 224, 448], ...], ...}}. A
box is [left, top, right, bottom] in pixels of the workflow's image; ComfyUI rounds them down to eight.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import TypeAlias

from headcount.core.errors import CountError

from demo.comfy_client import Prompt

NODE = "GLIGENTextBoxApply"
_CELL = 8  # pixels: the node's smallest box
Boxes: TypeAlias = list[tuple[str, tuple[int, int, int, int]]]
"""Phrase and (left, top, right, bottom) of each box of a prompt."""


def read_boxes(file: Path) -> dict[str, Boxes]:
    """Prompt -> its boxes.

    Raises:
        CountError: the file cannot be read or has another layout.
    """
    try:
        rows = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
        return {row["prompt"]: _boxes_of(row["boxes"]) for row in rows}
    except OSError as error:
        raise CountError(f"{file} cannot be read: {error}") from error
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise CountError(
            f'{file} has not the layout that is read: {error}. Each line is {{"prompt": TEXT, "boxes": '
            '{"owl": [[LEFT, TOP, RIGHT, BOTTOM], ...]}} in pixels'
        ) from error


def _boxes_of(listed: Mapping[str, list[list[float]]]) -> Boxes:
    found: Boxes = []
    for phrase, boxes in listed.items():
        for left, top, right, bottom in boxes:
            if min(left, top) < 0 or min(right - left, bottom - top) < _CELL:
                raise ValueError(f"{phrase}: {[left, top, right, bottom]} is no box of at least {_CELL} pixels")
            found.append((phrase, (int(left), int(top), int(right), int(bottom))))
    return found


def require_box_node(workflow: Prompt) -> str:
    """The node that a prompt's boxes take the place of.

    Raises:
        CountError: the workflow has none, or several.
    """
    places = [node for node, placed in workflow.items() if placed["class_type"] == NODE]
    if len(places) != 1:
        raise CountError(
            f"the workflow has {len(places)} nodes GLIGEN Textbox Apply, and one is needed, between Count Prompt and the "
            "sampler: --boxes repeats it for each box of a prompt"
        )
    return places[0]


def with_boxes(workflow: Prompt, boxes: Boxes) -> Prompt:
    """A copy of a workflow whose one GLIGEN Textbox Apply is repeated for each box, one behind the other.

    Raises:
        CountError: the workflow has none, or several.
    """
    made, place = copy.deepcopy(workflow), require_box_node(workflow)
    node = made[place]
    source = node["inputs"]["conditioning_to"]
    for number, (phrase, (left, top, right, bottom)) in enumerate(boxes, start=1):
        size = {"x": left, "y": top, "width": right - left, "height": bottom - top}
        inputs = {**node["inputs"], "conditioning_to": source, "text": phrase, **size}
        name = f"{place}_box_{number}"
        made[name] = {**node, "inputs": inputs}
        source = [name, 0]
    del made[place]
    for placed in made.values():
        for key, value in placed["inputs"].items():
            if value == [place, 0]:
                placed["inputs"][key] = source
    return made
