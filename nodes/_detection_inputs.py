"""The settings that all counters that detect objects share; they stand after what such a counter is made of."""

from __future__ import annotations

from comfy_api.latest import io

from ..core.counting import ALWAYS, DENSE, NEVER, DetectionSettings

_MERGE = DetectionSettings.merge_overlap


def detection_inputs(threshold: float, threshold_tooltip: str) -> list[io.Input]:
    """The inputs for `DetectionSettings`."""
    return [
        io.Float.Input("threshold", default=threshold, min=0.0, max=1.0, step=0.01, tooltip=threshold_tooltip),
        io.Float.Input(
            "merge_overlap",
            default=_MERGE,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Where two detections of one noun overlap more than this, they are one object. 1 merges nothing. "
            "Lower it when one object is counted twice, raise it when objects that cover each other are counted "
            "as one.",
            advanced=True,
        ),
        io.Combo.Input(
            "tiles",
            options=[DENSE, ALWAYS, NEVER],
            default=DENSE,
            tooltip="where dense: an image in which a noun is found very often is looked at again in four overlapping parts, "
            "and those once more if need be. always: every image is, which finds smaller objects and takes five times as "
            "long. never: one look.",
            advanced=True,
        ),
    ]
