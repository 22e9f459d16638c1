"""Reads boxes in every form that detectors of ComfyUI and its packs hand on.

The forms, of one image or in a list of one per image:
- ComfyUI's BOUNDING_BOX: dicts with x, y, width, height, and perhaps label and score; one, or a list; its older
  BOUNDING_BOXES have the label in metadata, as desc;
- Impact Pack's SEGS: ((height, width), segments), each with bbox, label and confidence;
- corners: left, top, right, bottom and perhaps a score, as lists or rows of a tensor;
- a dict of lists, as of Florence-2 and `transformers`: bboxes or boxes, and perhaps labels and scores;
- dicts with their corners under bbox, bbox_2d or box, or as xmin, ymin, xmax, ymax;
- JSON text of these, also inside a Markdown fence.
"""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Mapping, Sequence
from typing import Any

from ..errors import CountError
from .box import Box
from .wording import count_words

FORMS = "boxes are dicts with x, y, width and height, in one list per image"
_OTHER_FORMS = (
    "SEGS, lists of corners (left, top, right, bottom), bboxes with labels, and JSON text of these are read too"
)
_SIDES = ("x", "y", "width", "height")
_EDGES = ("left", "top", "right", "bottom")
_CORNER_NAMES = (("xmin", "ymin", "xmax", "ymax"), ("x1", "y1", "x2", "y2"), _EDGES)
_CORNERS_UNDER = ("bbox", "bbox_2d", "box", "xyxy")
_LISTS_UNDER = ("bboxes", "boxes", "detections", "objects")
_LABELS_UNDER = ("text_labels", "labels", "bboxes_labels", "class_names")
_LABEL_UNDER = ("label", "class_name", "name")
_SCORE_UNDER = ("score", "confidence")
_FENCE = re.compile(r"\A\s*```\w*\s*(.*?)\s*```\s*\Z", re.DOTALL)
_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = 60
_WRAPPERS = 3  # dicts around the boxes, such as {"<OD>": {"bboxes": ...}}


def read_boxes(boxes: Any, pictures: int) -> list[list[Box]]:
    """The boxes of each picture.

    Args:
        boxes: in one of the forms above; an empty list is no box in any picture.
        pictures: N, how many pictures the detector saw.

    Returns:
        N lists, each in the detector's order.

    Raises:
        CountError: a form that is none of these, a number that is none, or boxes of another number of pictures.
    """
    rows = read_rows(boxes)
    if not rows:
        return [[] for _ in range(pictures)]
    if len(rows) != pictures:
        verb = "is" if pictures == 1 else "are"
        raise CountError(
            f"the boxes are of {count_words(len(rows), 'images')}, but there {verb} {count_words(pictures, 'images')}. "
            f"Give the detector exactly these; {FORMS}"
        )
    return rows


def read_rows(boxes: Any) -> list[list[Box]]:
    """The boxes of every picture that `boxes` says something of; of none where it is an empty list.

    Raises:
        CountError: a form that `read_boxes` does not know, or a number that is none.
    """
    value = _listed(parsed(boxes) if isinstance(boxes, str) else boxes)
    if _is_box(value) or _is_segs(value) or isinstance(value, Mapping):
        return [_row(value)]
    if not _is_list(value):
        raise CountError(f"boxes are {_kind(value)}, but {FORMS}; {_OTHER_FORMS}")
    if any(_is_box(one) for one in value):
        return [[_box(one) for one in value]]
    return [_row(parsed(one) if isinstance(one, str) else _listed(one)) for one in value]


def _row(value: Any) -> list[Box]:
    """The boxes of one picture."""
    if value is None:
        return []
    if _is_box(value):
        return [_box(value)]
    if _is_segs(value):
        return [_box(one) for one in value[1]]
    if isinstance(value, Mapping):
        return _of_lists(value)
    if _is_list(value):
        return [_box(one) for one in value]
    raise _lacking(value)


def _of_lists(value: Mapping[str, Any]) -> list[Box]:
    """Boxes of a dict that holds them, their labels and their scores in a list each."""
    key = next((name for name in _LISTS_UNDER if name in value), None)
    if key is None:
        return _row(_unwrapped(value))
    entries = _listed(value[key])
    if not _is_list(entries) or not all(_is_box(_listed(one)) for one in entries):
        raise CountError(f"{_short(value)} holds no list of boxes; {FORMS}; {_OTHER_FORMS}")
    labels = _list_of(value, _LABELS_UNDER, len(entries))
    scores = _list_of(value, ("scores",), len(entries))
    # Numbers of classes name nothing.
    named = [label if isinstance(label, str) else None for label in labels]
    return [_box(one, label, score) for one, label, score in zip(entries, named, scores, strict=True)]


def _list_of(value: Mapping[str, Any], names: Sequence[str], boxes: int) -> Sequence[Any]:
    """What a dict of lists says of each box under the first of these names; Nones where it has none of them."""
    for name in names:
        given = _listed(value.get(name))
        if _is_list(given):
            if len(given) != boxes:
                raise CountError(f"{_short(value)} has {boxes} boxes, but {len(given)} {name}")
            return list(given)
    return [None] * boxes


def _unwrapped(value: Mapping[str, Any]) -> Any:
    """What a dict of one entry holds, such as {"<OD>": {"bboxes": ...}}."""
    held: Any = value
    for _ in range(_WRAPPERS):
        if isinstance(held, Mapping) and len(held) == 1 and not _is_box(held) and not set(held) & set(_LISTS_UNDER):
            (held,) = held.values()
    still_wrapped = isinstance(held, Mapping) and not _is_box(held) and not set(held) & set(_LISTS_UNDER)
    if still_wrapped or held is None:
        raise _lacking(value)
    return _listed(held)


def _box(value: Any, label: Any = None, score: Any = None) -> Box:
    """One box; `label` and `score` where they are not its own."""
    value = _listed(value)
    if isinstance(value, Mapping):
        label = next((value[key] for key in _LABEL_UNDER if value.get(key) is not None), label)
        label = _description(value) if label is None else label
        score = next((value[key] for key in _SCORE_UNDER if value.get(key) is not None), score)
        x, y, width, height = _place_of_dict(value)
    elif hasattr(value, "bbox"):
        label = getattr(value, "label", None) if label is None else label
        score = getattr(value, "confidence", None) if score is None else score
        x, y, width, height = _place_of_corners(_listed(value.bbox), value)
    elif _is_corners(value):
        score = value[4] if len(value) > 4 and score is None else score
        x, y, width, height = _place_of_corners(value[:4], value)
    else:
        raise _lacking(value)
    sure = None if score is None else _number(score, "score", value)
    return Box(x, y, width, height, "" if label is None else str(label).strip(), sure)


def _description(value: Mapping[str, Any]) -> Any:
    """What a box is called in ComfyUI's older BOUNDING_BOXES."""
    metadata = value.get("metadata")
    return metadata.get("desc") if isinstance(metadata, Mapping) else None


def _place_of_dict(value: Mapping[str, Any]) -> tuple[float, float, float, float]:
    if all(key in value for key in _SIDES):
        x, y, width, height = (_number(value[key], key, value) for key in _SIDES)
        if min(width, height) < 0:
            raise CountError(f"a box is {_short(value)}, but its width and height must be 0 or more")
        return x, y, width, height
    for key in _CORNERS_UNDER:
        if key in value:
            held = _listed(value[key])
            return _place_of_dict(held) if isinstance(held, Mapping) else _place_of_corners(held, value)
    for names in _CORNER_NAMES:
        if all(name in value for name in names):
            return _place_of_corners([value[name] for name in names], value)
    raise _lacking(value)


def _lacking(value: Any) -> CountError:
    """The error for what is meant as a box, and is none of the forms."""
    missing = [key for key in _SIDES if not isinstance(value, Mapping) or key not in value]
    return CountError(f"a box is {_short(value)}, without {', '.join(missing)}; {FORMS}; {_OTHER_FORMS}")


def _place_of_corners(corners: Any, box: Any) -> tuple[float, float, float, float]:
    if not _is_list(corners) or len(corners) != 4:
        raise CountError(f"a box is {_short(box)}, but its corners must be four numbers: left, top, right and bottom")
    left, top, right, bottom = (_number(one, f"{edge} edge", box) for one, edge in zip(corners, _EDGES, strict=True))
    if right < left or bottom < top:
        what = "right edge lies left of its left edge" if right < left else "bottom edge lies above its top edge"
        raise CountError(f"a box is {_short(box)}, whose {what}. Four numbers are read as left, top, right and bottom")
    return left, top, right - left, bottom - top


def _number(value: Any, name: str, box: Any) -> float:
    """A finite number, also where it is written as text or is a tensor of one element."""
    try:
        plain = value.item() if hasattr(value, "item") else value
        number = math.nan if isinstance(plain, bool) else float(plain)
    except (TypeError, ValueError, OverflowError, RuntimeError):
        number = math.nan
    if not math.isfinite(number):
        raise CountError(f"a box is {_short(box)}, and its {name} is {_short(value)}, which is not a finite number")
    return number


def _listed(value: Any) -> Any:
    """Tensors and arrays as lists; anything else as it is."""
    return value.tolist() if hasattr(value, "tolist") else value


def parsed(text: str) -> Any:
    """JSON text as Python values, also inside a Markdown fence.

    Raises:
        CountError: it is no JSON.
    """
    inside = _FENCE.match(text)
    try:
        return json.loads(inside[1] if inside else text)
    except (ValueError, RecursionError) as error:
        raise CountError(f"boxes are the text {_short(text)}, which is not JSON of boxes ({error}); {FORMS}") from None


def _is_box(value: Any) -> bool:
    """Whether a value is meant as one box; it may still lack something."""
    if isinstance(value, Mapping):
        return any(key in value for key in ("x", *_CORNERS_UNDER, *(names[0] for names in _CORNER_NAMES)))
    return hasattr(value, "bbox") or _is_corners(value)


def _is_corners(value: Any) -> bool:
    """Four numbers or what stands for them, then perhaps a score and a class."""
    return _is_list(value) and 4 <= len(value) <= 6 and not any(map(_holds_more, value)) and set(value) != {None}


def _is_segs(value: Any) -> bool:
    """Impact Pack's SEGS: the image's size, and the segments."""
    return (
        _is_list(value)
        and len(value) == 2
        and all(map(_is_list, value))
        and len(value[0]) == 2
        and not any(map(_holds_more, value[0]))
    )


def _holds_more(value: Any) -> bool:
    return _is_list(value) or isinstance(value, Mapping) or hasattr(value, "bbox") or hasattr(value, "shape")


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str | bytes) and not hasattr(value, "bbox")


def _kind(value: Any) -> str:
    return "nothing" if value is None else f"a {type(value).__name__}, {_short(value)}"


def _short(value: Any) -> str:
    """The beginning of a value, for a message."""
    try:
        return _SHORT.repr(value)
    except ValueError:  # a whole number of thousands of digits
        return "a number of very many digits"
