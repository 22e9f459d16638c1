"""Counts of pictures: what a counter is (`Counter`) and gives (`Counted`), boxes to numbers, numbers against what was asked."""

from __future__ import annotations

from .asked import asked_numbers, columns_of
from .box import USUAL, BoxSettings
from .boxes import count_boxes, counted_from_boxes
from .check import CountCheck, check_counts
from .counted import Counted, Point
from .counter import Counter
from .own_layout import NounBoxes, UnitBox, own_layout
from .ranking import distances, misses
from .wording import count_words

__all__ = [
    "USUAL",
    "BoxSettings",
    "CountCheck",
    "Counted",
    "Counter",
    "NounBoxes",
    "Point",
    "UnitBox",
    "asked_numbers",
    "check_counts",
    "columns_of",
    "count_boxes",
    "count_words",
    "counted_from_boxes",
    "distances",
    "misses",
    "own_layout",
]
