"""Lets one schema serve ComfyUI 0.3.75 and newer."""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from comfy_api.latest import io

_FIELDS = frozenset(field.name for field in dataclasses.fields(io.Schema))


def Schema(**fields: Any) -> io.Schema:  # ComfyUI Manager's static scanner looks for a call of this name
    """`io.Schema` without the fields that the running ComfyUI does not know yet (0.3.75 lacks search_aliases)."""
    return io.Schema(**{name: value for name, value in fields.items() if name in _FIELDS})


def advanced(input_type: type[io.Input], *args: Any, **options: Any) -> io.Input:
    """A widget that is folded away under "advanced" where the running ComfyUI can do that (0.15.0 and newer)."""
    if "advanced" in inspect.signature(input_type.__init__).parameters:
        options["advanced"] = True
    return input_type(*args, **options)
