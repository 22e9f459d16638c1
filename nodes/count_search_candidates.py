"""Node: Count Search Candidates."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.seed_search.count_search import preview_for_pick
from ._count_search import preview_inputs, sampler_inputs, search_of
from ._types import CandidatesType


class CountSearchCandidates(io.ComfyNode):
    """The first half of Count Search: shows what seeds will make, for a counter or detector of any pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountSearchCandidates",
            display_name="Count Search Candidates",
            category="Headcount",
            description=(
                "Tries several seeds in a few quick steps each and gives previews of what they will show. Run any "
                "counter or detector on them, and connect what it finds and CANDIDATES to Count Search Pick."
            ),
            search_aliases=["count", "best of n", "best seed", "seed search", "detector", "headcount"],
            inputs=[*sampler_inputs(), *preview_inputs()],
            outputs=[
                io.Image.Output(
                    display_name="IMAGE",
                    tooltip="The test preview of each seed, in the order in which they were tried.",
                ),
                CandidatesType.Output(display_name="CANDIDATES", tooltip="The seeds, for Count Search Pick."),
            ],
        )

    @classmethod
    def execute(cls, **searched) -> io.NodeOutput:  # noqa: ANN003 - ComfyUI's
        candidates = preview_for_pick(search_of(**searched))
        return io.NodeOutput(candidates.previews.frames, candidates)
