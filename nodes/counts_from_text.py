"""Node: Counts from Text."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.counters.answers import counts_from_text
from ._types import CountedType, CountsType


class CountsFromText(io.ComfyNode):
    """Makes COUNTED of what a language model says."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountsFromText",
            display_name="Counts from Text",
            category="Headcount",
            description=(
                "Reads the answer of a language model that was asked how many there are, and hands it on as COUNTED, for Count "
                "Check and Count Search Pick. It knows 'cats: 3, dogs: 2', JSON, sentences, and a bare number for one noun. "
                "Language models count reliably up to about five."
            ),
            search_aliases=["count", "vlm", "llm", "answer", "number in text", "headcount"],
            is_output_node=True,
            is_input_list=True,
            inputs=[
                io.String.Input(
                    "text",
                    force_input=True,
                    tooltip="What the language model answered, such as the text of Generate Text. A list: one answer for "
                    "each image.",
                ),
                CountsType.Input(
                    "counts", optional=True, tooltip="COUNTS of Count Prompt: its nouns are looked for in the answer."
                ),
                io.String.Input(
                    "objects",
                    default="",
                    optional=True,
                    tooltip="Nouns to look for instead, such as 'cats, dogs'. Without them and COUNTS: those of the answer.",
                ),
            ],
            outputs=[
                CountedType.Output(display_name="COUNTED", tooltip="For Count Check and Count Search Pick."),
                io.String.Output(display_name="table", tooltip="What was read, one line per image."),
            ],
        )

    @classmethod
    def execute(cls, text, counts=None, objects=("",)) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        read = counts_from_text(text, counts, objects)
        return io.NodeOutput(read.counted, read.table, ui=result_output(read.result, cls))
