"""Counts in words."""

from __future__ import annotations

import math
from collections.abc import Iterable

from ..prompts import singular


def verdict_words(misses: int) -> str:
    """ "right", or "off by 2": what is said of a picture with so many objects too many or too few."""
    return f"off by {misses}" if misses else "right"


def count_words(number: float, noun: str) -> str:
    """ "7 cats (7.2)"; a whole number stands without brackets, and one thing in the singular. Halves go up."""
    whole = math.floor(number + 0.5)
    exact = f"{number:.1f}"
    return f"{whole} {singular(noun) if whole == 1 else noun}" + ("" if exact == f"{whole}.0" else f" ({exact})")


def counts_in_words(numbers: Iterable[float], nouns: Iterable[str]) -> str:
    """ "4 cats, 1 dog"."""
    return ", ".join(count_words(number, noun) for number, noun in zip(numbers, nouns, strict=True))
