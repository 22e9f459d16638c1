"""Types of the pack's own sockets; workflow files store their names, so these never change."""

from __future__ import annotations

from comfy_api.latest import io

from ..core.counting import USUAL

CountsType = io.Custom("HEADCOUNT_COUNTS")
"""`core.prompts.Counts`: counted objects and their token positions."""

MapsType = io.Custom("HEADCOUNT_MAPS")
"""The handle that a sampling run fills with attention maps."""

BoxesType = io.BoundingBox
"""ComfyUI's own boxes: dicts with x, y, width and height in pixels, label and score, in one list per picture."""

_READ_AS_BOXES = [
    io.BoundingBox,
    io.BoundingBoxes,  # what workflows saved before 0.5 call it
    io.SEGS,
    io.BBOX,
    io.Custom("JSON"),
    io.String,
]

CounterType = io.Custom("HEADCOUNT_COUNTER")
"""`core.counting.Counter`: counts objects in images."""

T2ICountType = io.Custom("T2ICOUNT")
"""`bridge.t2icount.loaded.LoadedCounter`, a counter too. Saved workflows have links of this type, so it stays."""

CountedType = io.Custom("HEADCOUNT_COUNTED")
"""`core.counting.Counted`: how many of what there are in each picture of a batch."""

TracksType = io.Custom("SAM3_TRACK_DATA")
"""ComfyUI's own: what its SAM3 followed through a video."""

CandidatesType = io.Custom("HEADCOUNT_CANDIDATES")
"""`bridge.seed_search.count_search.PreviewedCandidates`: seeds with their previews, and where they start."""


def counts_input() -> io.Input:
    """The optional input of every node that reads what a prompt asks for."""
    return CountsType.Input(
        "counts",
        optional=True,
        tooltip="COUNTS from Count Prompt. Needed only when another node sits between Count Prompt's CONDITIONING and the "
        "sampler and drops the counts; otherwise they are read from there.",
    )


def counter_input(name: str, tooltip: str, optional: bool = False, display_name: str | None = None) -> io.Input:
    """The input of a node that counts: for any counter, a T2ICount model included."""
    types = [T2ICountType, CounterType]
    return io.MultiType.Input(name, types, display_name=display_name, tooltip=tooltip, optional=optional)


def boxes_input() -> io.Input:
    """The optional input for what a detector of any other pack found."""
    return io.MultiType.Input(
        "boxes",
        _READ_AS_BOXES,
        optional=True,
        tooltip="In place of COUNTED: the boxes of any detector that saw these images, such as BOUNDING_BOX, SEGS, BBOX or "
        "JSON text.",
        extra_dict={"forceInput": True},  # a link, never a widget of one of these types
    )


def box_settings_inputs() -> list[io.Input]:
    """The optional settings of which boxes count; they stand last in the nodes that read boxes."""
    return [
        io.Float.Input(
            "minimum_score",
            default=USUAL.minimum_score,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            tooltip="Of boxes: those with a lower score are not counted. 0: all are. Boxes without a score always count.",
        ),
        io.Float.Input(
            "merge_overlap",
            default=USUAL.merge_overlap,
            min=0.0,
            max=1.0,
            step=0.01,
            optional=True,
            tooltip="Of boxes with a score: where two of one label overlap more than this, only the one with the higher score "
            "is counted. 1: none is left out. Lower it when a detector puts several boxes around one object.",
        ),
    ]


AUTO_SPACING = 0.0
"""Of `spacing_input`: None for the bridge, which then asks the maps."""


def spacing_input(of: str, optional: bool = False) -> io.Input:
    """The advanced input for the minimum distance of two objects; `of` says which choice it belongs to."""
    return io.Float.Input(
        "spacing",
        display_name="minimum distance",
        optional=optional,
        default=AUTO_SPACING,
        min=0.0,
        max=0.9,
        step=0.0001,
        round=False,
        tooltip=f"{of}: the minimum distance between the centres of two objects, as a share of the image's shorter side. "
        "0: from the size at which the attention shows the objects, at most 0.42 for two and 0.27 for five.",
        advanced=True,
    )


def layout_input() -> io.Input:
    """The optional input for boxes that say where each object is to be."""
    return io.MultiType.Input(
        "layout",
        [io.BoundingBox, io.BoundingBoxes, io.Array, io.SEGS, io.BBOX, io.Custom("JSON"), io.String],
        optional=True,
        tooltip="Your own layout: one box for each object that the prompt asks for, labelled with its noun. Connect elements "
        "of Create Bounding Boxes, or BOUNDING_BOX of a detector.",
        extra_dict={"forceInput": True},  # a link, never a widget of one of these types
    )
