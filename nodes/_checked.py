"""Checks what reaches a node against what its schema offers, in one place for all nodes.

ComfyUI compares widgets with the schema before a run, but not what a link brings, and compares NaN with nothing.
"""

from __future__ import annotations

import inspect
from collections.abc import Iterator, Mapping
from functools import wraps
from math import inf
from numbers import Integral, Real
from traceback import clear_frames
from typing import Any

from comfy_api.latest import io

from ..core.errors import CountError

_MAX_NAMED = 30  # options in a message


def checked(node: type[io.ComfyNode]) -> type[io.ComfyNode]:
    """The same node, whose `execute` refuses values that the schema does not offer, and holds nothing once it has failed.

    Raises (when the node runs):
        CountError: a choice is none of the options, a number is none or out of range, or a text is no text.
    """
    plain_execute = node.__dict__["execute"].__func__
    signature = inspect.signature(plain_execute)

    @wraps(plain_execute)
    def execute(cls: type[io.ComfyNode], *args: Any, **kwargs: Any) -> io.NodeOutput:
        schema, given = node.define_schema(), {**signature.bind(cls, *args, **kwargs).arguments, **kwargs}
        for values in _each_of_lists(given) if schema.is_input_list else [given]:
            check_values(schema.inputs, values)  # also those that it takes as **values
        try:
            return plain_execute(cls, *args, **kwargs)
        except BaseException as error:
            # ComfyUI keeps the traceback of a failed run in a cycle. What its frames hold, such as clones of models, would
            # live on until Python happens to collect it, and ComfyUI would report a memory leak.
            clear_frames(error.__traceback__)
            raise

    node.execute = classmethod(execute)
    return node


def _each_of_lists(given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Values one by one, of a node that gets all values of a link at once."""
    for name, values in given.items():
        for value in values if isinstance(values, list | tuple) else [values]:
            yield {name: value}


def check_values(inputs: list[io.Input], values: Mapping[str, Any]) -> None:
    """Compare the values of widgets with a node's inputs.

    Raises:
        CountError: see `checked`.
    """
    for one in inputs:
        value = values.get(one.id)
        if one.id not in values or (value is None and one.optional):
            continue
        if isinstance(one, io.Combo.Input):
            _check_choice(one.id, value, one.options)
        elif isinstance(one, io.Int.Input | io.Float.Input):
            _check_number(one, value)
        elif isinstance(one, io.String.Input) and not isinstance(value, str):
            raise CountError(f"{one.id} is {_shown(value)}; it must be a text")


def _check_choice(name: str, value: Any, options: list[str]) -> None:
    if not isinstance(value, str) or value not in options:
        named = ", ".join(map(repr, options[:_MAX_NAMED]))
        rest = f" and {len(options) - _MAX_NAMED} others" if len(options) > _MAX_NAMED else ""
        raise CountError(f"{name} is {_shown(value)}; it can be {named}{rest}")


def _check_number(one: io.Int.Input | io.Float.Input, value: Any) -> None:
    kind, what = (Integral, "a whole number") if isinstance(one, io.Int.Input) else (Real, "a number")
    low, high = (-inf if one.min is None else one.min), (inf if one.max is None else one.max)
    is_number: bool = isinstance(value, kind)
    if not is_number or not low <= value <= high:  # NaN is in no range
        raise CountError(f"{one.id} is {_shown(value)}; it must be {what} from {low} to {high}")


def _shown(value: Any) -> str:
    """A value as a message quotes it: a tensor has millions of numbers, so things are named by their class."""
    is_plain = isinstance(value, str | int | float | bool) or value is None
    text = repr(value) if is_plain and not (isinstance(value, int) and value.bit_length() > 200) else ""
    return (text if len(text) <= 80 else f"{text[:77]}...") if text else f"a {type(value).__name__}"
