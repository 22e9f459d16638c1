"""Count Prompt: encodes a prompt and reads out of it what is to be counted."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..bridge.comfyui.node_text import NodeResult, result_output
from ..bridge.prompts.token_positions import encode_count_prompt
from ..core.counting import Counted
from ..core.prompts import summary_of
from ._types import CountedType, CountsType


class CountPrompt(io.ComfyNode):
    """Takes the place of CLIP Text Encode where something is to be counted."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        """Inputs, outputs and texts of the node."""
        return io.Schema(
            node_id="HeadcountCountPrompt",
            display_name="Count Prompt",
            category="Headcount",
            description=(
                "Encodes a prompt like CLIP Text Encode and finds out how many of which objects it asks for, and which "
                "tokens name them. Write plainly: 'two cats and a dog on a sofa'."
            ),
            search_aliases=["count", "number of objects", "clip text encode", "prompt", "how many"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,  # its result is sent again where it is cached
            inputs=[
                io.Clip.Input("clip", tooltip="The text encoder of your model, from Load Checkpoint or Load CLIP."),
                io.String.Input(
                    "text",
                    multiline=True,
                    dynamic_prompts=True,
                    tooltip="Your prompt. Numbers ('three cats', '3 cats', 'a pair of cats', 'a cat') are read out of it; "
                    "weights such as (cats:1.2) and embeddings work as usual.",
                ),
                io.String.Input(
                    "objects",
                    default="",
                    optional=True,
                    tooltip="Leave empty to count what the prompt says. '2 cats, 1 dog' counts exactly these instead; "
                    "each noun must also appear in the prompt.",
                ),
                CountedType.Input(
                    "reader",
                    optional=True,
                    tooltip="For prose that the rules cannot read: a language model's list of what the prompt asks for, "
                    "through Counts from Text. Its nouns must appear in the prompt. What you write into objects "
                    "takes precedence.",
                ),
            ],
            outputs=[
                io.Conditioning.Output(
                    "conditioning",
                    display_name="CONDITIONING",
                    tooltip="The encoded prompt for the sampler. It carries the counts along.",
                ),
                CountsType.Output(
                    "counts",
                    display_name="COUNTS",
                    tooltip="What is to be counted and where its words are, for the other Headcount nodes.",
                ),
                io.String.Output(
                    "summary",
                    display_name="summary",
                    tooltip="The counts in words, such as '3 red circles, 2 stars'. The node shows them too.",
                ),
            ],
        )

    @classmethod
    def execute(cls, clip: Any, text: str, objects: str = "", reader: Counted | None = None) -> io.NodeOutput:
        """Encode `text` and read its counts."""
        conditioning, counts = encode_count_prompt(clip, text, objects, reader)
        summary = summary_of(counts)
        first, _, remarks = summary.partition("\n")
        result = NodeResult(first, note=remarks) if counts.objects else NodeResult("", note=summary)
        return io.NodeOutput(conditioning, counts, summary, ui=result_output(result, cls))
