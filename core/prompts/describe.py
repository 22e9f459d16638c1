"""Counted objects in words."""

from __future__ import annotations

from collections.abc import Sequence

from .counts import CountedObject


def describe_objects(objects: Sequence[CountedObject]) -> str:
    """One line a person can check: "3 red circles, 2 stars"; "nothing is counted" where there are no objects."""
    lines = [" ".join((str(item.count), *item.attributes, item.noun)) for item in objects]
    return ", ".join(lines) or "nothing is counted"
