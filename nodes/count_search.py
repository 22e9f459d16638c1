"""Node: Count Search."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.seed_search.count_search import search_seeds
from ..bridge.seed_search.settings import SearchSettings
from ._count_search import preview_inputs, sampler_inputs, search_of
from ._types import counter_input, counts_input


class CountSearch(io.ComfyNode):
    """Tries seeds in a few steps each, counts what they will show, and hands on the one that is right."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountSearch",
            display_name="Count Search",
            category="Headcount",
            description=(
                "Tries several seeds in a few quick steps each, counts what they will show, and passes on the first seed "
                "with the number of objects you asked for. Put it before the sampler: connect LATENT and seed to it. "
                "Supports every model and sampler; it finds a good seed among those tried, and is only as reliable as "
                "the counter."
            ),
            search_aliases=["count", "best of n", "best seed", "seed search", "number of objects", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,  # its result is sent again where it is cached
            inputs=[
                *sampler_inputs(),
                counter_input(
                    "counter",
                    tooltip="COUNTER of SAM3 Counter, Detector Counter or Load Demo Model, or T2ICOUNT of Load T2ICount "
                    "Model: counts what each seed is going to show.",
                ),
                *preview_inputs(),
                io.Boolean.Input(
                    "stop_when_found",
                    default=SearchSettings.stop_when_found,
                    tooltip="Try no further seeds once one is right; with a batch, once as many are right as it has images. "
                    "Off: try all, and take the ones whose counts are nearest.",
                    advanced=True,
                ),
                counts_input(),
                io.Int.Input(
                    "variations",
                    default=SearchSettings.variations,
                    min=0,
                    max=64,
                    optional=True,
                    tooltip="For each seed that is off by one: how many images are tried that start from its half-formed "
                    "one with different noise. Needs look: own steps, and MODEL connected to the sampler.",
                    advanced=True,
                ),
                io.Boolean.Input(
                    "vary_alike",
                    default=SearchSettings.vary_alike,
                    optional=True,
                    tooltip="For distilled models, which make much the same image from every seed: once the first three "
                    "seeds are wrong and alike, the other tries keep the first seed's start and get fresh noise after the "
                    "first steps. Needs look: own steps, and MODEL connected to the sampler.",
                    advanced=True,
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, counter, **searched) -> io.NodeOutput:  # noqa: ANN001, ANN003 - ComfyUI's
        search = search_seeds(search_of(**searched), counter)
        shown = result_output(search.result, cls)
        return io.NodeOutput(search.latent, search.seed, search.table, search.images, search.model, ui=shown)


def _outputs() -> list[io.Output]:
    return [
        io.Latent.Output(
            "latent",
            display_name="LATENT",
            tooltip="The latent to sample from, for the sampler's latent_image.",
        ),
        io.Int.Output("seed_out", display_name="seed", tooltip="The best seed, for the sampler's seed input."),
        io.String.Output("table", display_name="table", tooltip="What was counted for every tried seed, best first."),
        io.Image.Output(
            "predictions",
            display_name="predictions",
            tooltip="The test preview of each seed, in the order of the table.",
        ),
        io.Model.Output(
            "model_out",
            display_name="MODEL",
            tooltip="The model, for the sampler: with look: own steps it continues where the look ended instead of "
            "starting again. The image is the same.",
        ),
    ]
