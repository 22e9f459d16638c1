"""Node: Counts from Tracks."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.counters.tracks import counts_from_tracks
from ..core.counting import MINIMUM_SHARE
from ._types import CountedType, CountsType, TracksType


class CountsFromTracks(io.ComfyNode):
    """Makes COUNTED of what was tracked in a video."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountsFromTracks",
            display_name="Counts from Tracks",
            category="Headcount",
            description=(
                "Counts the objects that ComfyUI's SAM3 Video Track followed through a video: how many there are in each "
                "frame, how many different ones in all, and whether most frames show the number asked for."
            ),
            search_aliases=["count", "video", "sam3", "track", "identities", "headcount"],
            is_output_node=True,
            inputs=[
                TracksType.Input(
                    "track_data",
                    tooltip="Of Run SAM3 Video Track, which was given one noun. Set its max_objects to 0: it follows 4 objects "
                    "at most otherwise.",
                ),
                io.String.Input(
                    "objects",
                    default="",
                    tooltip="The noun that was tracked, such as 'cats', or what is asked for, such as '3 cats'. Without it: "
                    "that of COUNTS.",
                ),
                CountsType.Input(
                    "counts", optional=True, tooltip="COUNTS of Count Prompt: what the video is compared with."
                ),
                CountedType.Input(
                    "counted",
                    optional=True,
                    tooltip="COUNTED of another noun in the same video, passed on together with this one.",
                ),
                io.Float.Input(
                    "minimum_share",
                    default=MINIMUM_SHARE,
                    min=0.0,
                    max=1.0,
                    step=0.01,
                    optional=True,
                    tooltip="An object that is in a smaller share of the frames is not counted.",
                ),
            ],
            outputs=[
                CountedType.Output(display_name="COUNTED", tooltip="The counts of each frame, for Count Check."),
                io.Int.Output(display_name="identities", tooltip="How many different objects the whole video shows."),
                io.Boolean.Output(
                    display_name="right in most frames", tooltip="Whether most frames show what is asked for."
                ),
                io.String.Output(
                    display_name="table", tooltip="What was counted, one line for frames that show the same."
                ),
            ],
        )

    @classmethod
    def execute(cls, track_data, objects, counts=None, counted=None, minimum_share=MINIMUM_SHARE) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        read = counts_from_tracks(track_data, objects, counts=counts, others=counted, minimum_share=minimum_share)
        return io.NodeOutput(
            read.counted, read.identities, read.is_right, read.table, ui=result_output(read.result, cls)
        )
