"""Counts of pictures: what a counter is (`Counter`) and gives (`Counted`), boxes to numbers, numbers against what was asked."""

from __future__ import annotations

from .asked import asked_numbers, columns_of
from .box import USUAL, Box, BoxSettings, kept_boxes
from .box_forms import read_boxes
from .boxes import boxes_by_noun, count_boxes, counted_from_boxes
from .check import CountCheck, check_counts
from .counted import Counted, Point
from .counter import Counter
from .ranking import distances, misses
from .wording import count_words

__all__ = [
    "USUAL",
    "Box",
    "BoxSettings",
    "CountCheck",
    "Counted",
    "Counter",
    "Point",
    "asked_numbers",
    "boxes_by_noun",
    "check_counts",
    "columns_of",
    "count_boxes",
    "count_words",
    "counted_from_boxes",
    "distances",
    "kept_boxes",
    "misses",
    "read_boxes",
]
