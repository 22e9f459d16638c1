"""Node: SAM3 Counter."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.counters.sam3 import CHECKPOINT, sam3_counter
from ._detection_inputs import detection_inputs
from ._types import CounterType


class Sam3CounterNode(io.ComfyNode):
    """Makes a counter of ComfyUI's own SAM3."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountSam3Counter",
            display_name="SAM3 Counter",
            category="Headcount",
            description=(
                "A counter for photos and generated images: asks SAM3, which ComfyUI runs itself, for each noun and counts all "
                f"objects that it finds, with boxes and masks. Load {CHECKPOINT} in Load Checkpoint, connect its MODEL "
                "and CLIP, and connect COUNTER to Object Counter, Count Search or any node with a counter input."
            ),
            search_aliases=["count", "sam3", "segment anything", "detector", "number of objects", "headcount"],
            inputs=[
                io.Model.Input("model", tooltip=f"MODEL of Load Checkpoint with {CHECKPOINT}."),
                io.Clip.Input("clip", tooltip="CLIP of the same Load Checkpoint."),
                *detection_inputs(
                    0.5,
                    "Minimum score of an object. 0.5 is what SAM3's authors use. Lower it when objects are missed, raise "
                    "it when it counts objects that are not there.",
                ),
            ],
            outputs=[
                CounterType.Output(
                    display_name="COUNTER",
                    tooltip="For Object Counter, Count Search and every other input for a counter. It can be asked for 'red "
                    "cats' as well as for 'cats'.",
                )
            ],
        )

    @classmethod
    def execute(cls, model, clip, threshold, merge_overlap, tiles) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        return io.NodeOutput(sam3_counter(model, clip, threshold=threshold, merge_overlap=merge_overlap, tiles=tiles))
