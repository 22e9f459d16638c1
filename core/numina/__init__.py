"""NUMINA: count what a video model is about to draw, correct the layout and guide the model to it.

When Numbers Speak: aligning textual numerals and visual instances in text-to-video models, CVPR 2026 (arXiv 2604.08546).
No training: a first pass stops at step t* = 0.4 of the schedule, a layout is read from the attention of one layer
(`reading`), corrected (`refinement`), and a second pass from the same noise follows it (`guidance`).

Three sets of settings: RELEASE does what the published code does, PAPER what the paper says, ROBUST is ours.
"""

from __future__ import annotations

from .guidance import Guide, RowBias, make_guide, row_bias
from .layout import Layouts
from .reading import Reading, noun_response, read_layouts
from .schedule import delta, fade
from .settings import PAPER, RELEASE, ROBUST, GuidanceSettings, LayoutSettings, Preset

__all__ = [
    "PAPER",
    "RELEASE",
    "ROBUST",
    "GuidanceSettings",
    "Guide",
    "LayoutSettings",
    "Layouts",
    "Preset",
    "Reading",
    "RowBias",
    "delta",
    "fade",
    "make_guide",
    "noun_response",
    "read_layouts",
    "row_bias",
]
