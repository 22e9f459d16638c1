"""Types of the pack's own sockets; workflow files store their names, so these never change."""

from __future__ import annotations

from comfy_api.latest import io

CountsType = io.Custom("HEADCOUNT_COUNTS")
"""`core.prompts.Counts`: counted objects and their token positions."""

MapsType = io.Custom("HEADCOUNT_MAPS")
"""The handle that a sampling run fills with attention maps."""

BoxesType = io.Custom("BOUNDING_BOXES")
"""ComfyUI's own list of boxes, each with x, y, width and height in pixels; 0.3.75 does not name the type yet."""

CounterType = io.Custom("T2ICOUNT")
"""Counts things in pictures; `bridge.t2icount.LoadedCounter` or anything with its method `count`."""

CountedType = io.Custom("HEADCOUNT_COUNTED")
"""`core.counting.counted.Counted`: how many of what there are in each picture of a batch."""

CandidatesType = io.Custom("HEADCOUNT_CANDIDATES")
"""`bridge.count_search.run.Candidates`: seeds that were looked at, and where they start."""


def counts_input() -> io.Input:
    """The optional input of every node that reads what a prompt asks for."""
    return CountsType.Input(
        "counts",
        optional=True,
        tooltip="COUNTS from Count Prompt. Needed only when another node sits between Count Prompt's CONDITIONING and the "
        "sampler and drops the counts; otherwise they are read from there.",
    )


def boxes_input() -> io.Input:
    """The optional input for what a detector of any other pack found."""
    return BoxesType.Input(
        "boxes",
        optional=True,
        tooltip="In place of COUNTED: BOUNDING_BOXES of any detector that saw these pictures.",
        extra_dict={"forceInput": True},  # newer pages have a widget of their own for this type
    )
