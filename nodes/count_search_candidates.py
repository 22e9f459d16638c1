"""Node: Count Search Candidates."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.count_search.run import look_for_pick
from ..bridge.count_search.search import Search
from ..bridge.count_search.settings import SearchSettings
from ._count_search import look_inputs, sampler_inputs
from ._schema import Schema
from ._types import CandidatesType


class CountSearchCandidates(io.ComfyNode):
    """The first half of Count Search: shows what seeds will make, for a counter or detector of any pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return Schema(
            node_id="HeadcountCountSearchCandidates",
            display_name="Count Search Candidates",
            category="Headcount",
            description=(
                "Tries several seeds in a few quick steps each and gives pictures of what they will show. Let any counter or "
                "detector look at them, and connect what it finds and CANDIDATES to Count Search Pick."
            ),
            search_aliases=["count", "best of n", "best seed", "seed search", "detector", "headcount"],
            inputs=[*sampler_inputs(), *look_inputs()],
            outputs=[
                io.Image.Output(
                    display_name="IMAGE",
                    tooltip="What each seed is going to show, in the order in which they are tried.",
                ),
                CandidatesType.Output(display_name="CANDIDATES", tooltip="The seeds, for Count Search Pick."),
            ],
        )

    @classmethod
    def execute(
        cls, model, positive, negative, latent_image, vae, seed, steps, cfg, sampler_name, scheduler, denoise, seeds,
        decide_at, look, at_once, frames,
    ) -> io.NodeOutput:  # fmt: skip
        settings = SearchSettings(
            seed=seed,
            steps=steps,
            cfg=cfg,
            sampler=sampler_name,
            scheduler=scheduler,
            denoise=denoise,
            seeds=seeds,
            decide_at=decide_at,
            look=look,
            at_once=at_once,
            frames=frames,
        )
        search = Search(
            model=model,
            positive=positive,
            negative=negative,
            latent=latent_image,
            vae=vae,
            settings=settings,
        )
        candidates = look_for_pick(search)
        return io.NodeOutput(candidates.shown.frames, candidates)
