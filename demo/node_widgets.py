"""A node's widgets in the order in which a workflow file saves their values.

The order depends on the values themselves: what a choice of a dynamic combo brings with it (SaveVideo's *codec*) stands
behind that choice, as widgets named "codec.encoding".
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

Schema = dict[str, Any]

DYNAMIC_COMBO = "COMFY_DYNAMICCOMBO_V3"
COMPARED = "IMAGECOMPARE"
"""The two pictures of Compare Images: a widget of which a file saves no value, though its prompt has one."""
NOT_COMPARED_YET = ["", ""]
WIDGET_TYPES = frozenset({"INT", "FLOAT", "STRING", "BOOLEAN", "COMBO", DYNAMIC_COMBO, COMPARED})
SEED_NAMES = frozenset({"seed", "noise_seed"})  # the page adds a control widget to these, asked for or not
SEED_CONTROL, UPLOAD = "control_after_generate", "upload"
ABSENT = object()
"""The value of a widget that has none."""
_UPLOADS = frozenset({"image_upload", "animated_image_upload", "video_upload", "audio_upload"})


@dataclass(frozen=True)
class Input:
    """One input of a node: a socket, or a widget with a value of its own.

    Attributes:
        name: "group.name" for one that the choice in `group` brought.
        type: its type in ComfyUI; COMBO for every list of choices.
        options: what the schema says of it: "default", "min", "options" ...
        is_optional: whether the node runs without it.
        is_of_the_page: a widget that no prompt has: the control behind a seed, the button that uploads a file.
    """

    name: str
    type: str
    options: dict[str, Any]
    is_optional: bool = False
    is_of_the_page: bool = False

    @property
    def is_widget(self) -> bool:
        if self.options.get("forceInput"):
            return False
        return self.type in WIDGET_TYPES or self.options.get("widgetType") in WIDGET_TYPES


def inputs_of(schema: Schema) -> list[Input]:
    """A node's own inputs in their order, without what a dynamic combo brings."""
    return list(_inputs(schema["input"], ""))


def widgets_of(schema: Schema, value_of: Callable[[Input], Any]) -> Iterator[tuple[Input, Any]]:
    """Every widget with its value, in the order of a workflow file.

    Args:
        schema: of ComfyClient.object_info().
        value_of: asked once for each widget that a file has a value of, in that order. A widget for which it returns ABSENT is
            left out.
    """
    inputs = inputs_of(schema)
    for is_optional in (False, True):
        widgets = [one for one in inputs if one.is_widget and one.is_optional == is_optional]
        if any(widget.options.get(key) for widget in widgets for key in _UPLOADS):
            widgets.append(Input(UPLOAD, "", {}, is_of_the_page=True))
        for widget in widgets:
            yield from _with_its_own(widget, value_of)


def _with_its_own(widget: Input, value_of: Callable[[Input], Any]) -> Iterator[tuple[Input, Any]]:
    """A widget, then the control behind a seed, or what the choice of a dynamic combo brings."""
    value = NOT_COMPARED_YET if widget.type == COMPARED else value_of(widget)
    if value is not ABSENT:
        yield widget, value
    further: list[Input] = []
    if widget.options.get(SEED_CONTROL) or (widget.type == "INT" and widget.name in SEED_NAMES):
        further = [Input(SEED_CONTROL, "", {}, is_of_the_page=True)]
    if widget.type == DYNAMIC_COMBO:
        brought = [option["inputs"] for option in widget.options["options"] if option["key"] == value]
        further = [one for inputs in brought for one in _inputs(inputs, f"{widget.name}.") if one.is_widget]
    for one in further:
        yield from _with_its_own(one, value_of)


def _inputs(groups: dict[str, dict[str, Any]], prefix: str) -> Iterator[Input]:
    """The inputs of a schema's "required" and "optional" parts."""
    for group in ("required", "optional"):
        for name, (kind, *rest) in groups.get(group, {}).items():
            options = dict(rest[0]) if rest else {}
            if isinstance(kind, list):
                kind, options = "COMBO", options | {"options": kind}
            yield Input(prefix + name, kind, options, is_optional=group == "optional")
