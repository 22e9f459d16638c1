"""Node: Count Check."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.comfyui.previews import image_preview
from ..bridge.counters.count_check import BEST, STOP, asked_for, check_pictures
from ..core.counting import USUAL, BoxSettings
from ._types import CountedType, CountsType, box_settings_inputs, boxes_input


class CountCheck(io.ComfyNode):
    """Compares what was asked for with what was counted, and keeps the right pictures."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountCheck",
            display_name="Count Check",
            category="Headcount",
            description=(
                "Compares the number of objects you asked for with what a counter or detector found, keeps the images that "
                "are right, and says which one is best. Put it before Save Image. It is as reliable as the counter: look at "
                "the counter's overlay when in doubt."
            ),
            search_aliases=["count", "verify", "filter", "best of n", "number of objects", "headcount"],
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The images that were counted."),
                io.Int.Input(
                    "tolerance",
                    default=0,
                    min=0,
                    max=1000,
                    tooltip="How far off each count may be. 0: it must be exactly right.",
                ),
                io.Combo.Input(
                    "if_none_right",
                    options=[BEST, STOP],
                    default=BEST,
                    tooltip="When no image is right. best picture: pass on the closest one. stop: pass on nothing, so that "
                    "nothing that follows is run or saved.",
                ),
                CountedType.Input(
                    "counted",
                    optional=True,
                    tooltip="COUNTED of a counter that saw these images, such as Object Counter.",
                ),
                boxes_input(),
                CountsType.Input("counts", optional=True, tooltip="COUNTS of Count Prompt: what was asked for."),
                io.String.Input(
                    "objects",
                    default="",
                    optional=True,
                    tooltip="Leave empty to check what the prompt asks for. '3 cats, 1 dog' checks exactly these instead.",
                ),
                *box_settings_inputs(),
            ],
            outputs=[
                io.Boolean.Output(display_name="any right", tooltip="Whether any image is right."),
                io.Image.Output(
                    display_name="right", tooltip="The right images; see if_none_right for when there are none."
                ),
                io.Image.Output(display_name="best", tooltip="The image closest to what was asked for."),
                io.Int.Output(display_name="best index", tooltip="Its place in the batch; the first one is 0."),
                io.Int.Output(display_name="number right", tooltip="How many images are right."),
                io.String.Output(
                    display_name="table",
                    tooltip="What was asked, and for each image what was counted and the verdict.",
                ),
            ],
        )

    @classmethod
    def execute(
        cls, image, tolerance, if_none_right, counted=None, boxes=None, counts=None, objects="",
        minimum_score=USUAL.minimum_score, merge_overlap=USUAL.merge_overlap,
    ) -> io.NodeOutput:  # fmt: skip
        asked, which = asked_for(counts, objects), BoxSettings(minimum_score=minimum_score, merge_overlap=merge_overlap)
        checked = check_pictures(
            image, counted, boxes, asked, tolerance=tolerance, if_none_right=if_none_right, box_settings=which
        )
        shown = {**image_preview(checked.shown, cls), **result_output(checked.result, cls)}
        return io.NodeOutput(
            checked.number > 0, checked.right, checked.best, checked.best_index, checked.number, checked.table, ui=shown
        )
