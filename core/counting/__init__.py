"""Counts of pictures: what a counter is (`Counter`) and gives (`Counted`), boxes to numbers, numbers against what was asked."""

from __future__ import annotations

from .answers import read_answers
from .asked import asked_as_counted, asked_line, asked_numbers, columns_of, numbers_of_line
from .box import USUAL, Box, BoxSettings, kept_boxes
from .box_forms import read_boxes
from .boxes import box_labels, boxes_by_noun, count_boxes, counted_from_boxes
from .check import CountCheck, check_counts
from .counted import Counted, Point
from .counter import Counter, reads_attributes
from .detections import (
    ALWAYS,
    DENSE,
    NEVER,
    Detected,
    DetectionSettings,
    box_inside,
    box_pixels,
    counted_detections,
    distinct,
    object_masks,
)
from .layout import NounBoxes, UnitBox, own_layout
from .paired import paired_difference, share_interval
from .ranking import distances, misses
from .tiles import Tile, four_tiles, joined
from .tracks import MINIMUM_SHARE, TrackCounts, count_tracks, side_by_side
from .wording import count_words, counts_in_words, verdict_words

__all__ = [
    "ALWAYS",
    "DENSE",
    "MINIMUM_SHARE",
    "NEVER",
    "USUAL",
    "Box",
    "BoxSettings",
    "CountCheck",
    "Counted",
    "Counter",
    "Detected",
    "DetectionSettings",
    "NounBoxes",
    "Point",
    "Tile",
    "TrackCounts",
    "UnitBox",
    "asked_as_counted",
    "asked_line",
    "asked_numbers",
    "box_inside",
    "box_labels",
    "box_pixels",
    "boxes_by_noun",
    "check_counts",
    "columns_of",
    "count_boxes",
    "count_tracks",
    "count_words",
    "counted_detections",
    "counted_from_boxes",
    "counts_in_words",
    "distances",
    "distinct",
    "four_tiles",
    "joined",
    "kept_boxes",
    "misses",
    "numbers_of_line",
    "object_masks",
    "own_layout",
    "paired_difference",
    "read_answers",
    "read_boxes",
    "reads_attributes",
    "share_interval",
    "side_by_side",
    "verdict_words",
]
