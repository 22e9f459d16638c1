"""Node: Count Search Pick."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.seed_search.count_search import pick
from ..core.counting import USUAL, BoxSettings
from ._types import CandidatesType, CountedType, box_settings_inputs, boxes_input, counts_input


class CountSearchPick(io.ComfyNode):
    """The second half of Count Search: chooses among seeds by what a counter or detector found."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountSearchPick",
            display_name="Count Search Pick",
            category="Headcount",
            description=(
                "Chooses among the seeds of Count Search Candidates the one whose image shows the number of objects you "
                "asked for, as a counter or detector of any pack sees it. Connect LATENT and seed to the sampler."
            ),
            search_aliases=["count", "best of n", "best seed", "seed search", "detector", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,  # its result is sent again where it is cached
            inputs=[
                CandidatesType.Input("candidates", tooltip="CANDIDATES of Count Search Candidates."),
                CountedType.Input(
                    "counted",
                    optional=True,
                    tooltip="COUNTED of a counter that saw the images of Count Search Candidates.",
                ),
                boxes_input(),
                counts_input(),
                io.String.Input(
                    "objects",
                    default="",
                    optional=True,
                    tooltip="Leave empty to look for what the prompt asks for. '3 cats, 1 dog' looks for these instead.",
                ),
                *box_settings_inputs(),
            ],
            outputs=[
                io.Latent.Output(
                    display_name="LATENT", tooltip="The latent to sample from, for the sampler's latent_image."
                ),
                io.Int.Output(display_name="seed", tooltip="The best seed, for the sampler's seed input."),
                io.String.Output(display_name="table", tooltip="What was counted for every seed, best first."),
                io.Image.Output(
                    display_name="predictions", tooltip="The images of Count Search Candidates, best first."
                ),
            ],
        )

    @classmethod
    def execute(
        cls, candidates, counted=None, boxes=None, counts=None, objects="",
        minimum_score=USUAL.minimum_score, merge_overlap=USUAL.merge_overlap,
    ) -> io.NodeOutput:  # fmt: skip
        which = BoxSettings(minimum_score=minimum_score, merge_overlap=merge_overlap)
        picked = pick(candidates, counted, boxes, counts=counts, objects=objects, box_settings=which)
        shown = result_output(picked.result, cls)
        return io.NodeOutput(picked.latent, picked.seed, picked.table, picked.images, ui=shown)
