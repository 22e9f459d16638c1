"""Node: ISAC Latent Selection."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.seed_search.latent_selection import select_latent
from ..bridge.seed_search.search import Search
from ..bridge.seed_search.settings import RANKS, SelectionSettings
from ._sampler_inputs import SAME, sampling_inputs, seed_input
from ._types import AUTO_SPACING, counts_input, spacing_input

_DEFAULT = SelectionSettings(seed=0, steps=20, cfg=8.0, sampler="euler", scheduler="normal")


class IsacLatentSelection(io.ComfyNode):
    """Tries many noises for a few steps and hands on the ones that promise the asked number of things."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountIsacLatentSelection",
            display_name="Noise Picker (ISAC Latent Selection)",
            category="Headcount",
            description=(
                "Starts from several noises, checks the model's attention after a few steps, and picks the noise most "
                "likely to show the number of objects you asked for. Put it before the sampler: connect LATENT and seed to "
                "it. Needs no gradient, so it also supports quantised models; costs part of each candidate's steps."
            ),
            search_aliases=[
                "isac latent selection",
                "count",
                "best of n",
                "seed selection",
                "isac",
                "instances",
                "headcount",
            ],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,  # its result is sent again where it is cached
            inputs=[
                io.Model.Input("model", tooltip="The model that makes the image, with its LoRAs and patches."),
                io.Conditioning.Input("positive", tooltip="From Count Prompt: it says what is counted."),
                io.Conditioning.Input("negative", tooltip=SAME),
                io.Latent.Input(
                    "latent_image",
                    tooltip="The empty latent, or an image's. As many of the best candidates are kept as it has images.",
                ),
                seed_input("Starting noises are made from this seed. Connect the seed output to the sampler's seed."),
                *sampling_inputs(_DEFAULT),
                *_choice_inputs(),
                counts_input(),
                spacing_input("places only", optional=True),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, model, positive, negative, latent_image, seed, steps, cfg, sampler_name, scheduler, denoise,
        candidates, decide_at, score, counts=None, spacing=AUTO_SPACING,
    ) -> io.NodeOutput:  # fmt: skip
        settings = SelectionSettings(
            seed=seed,
            steps=steps,
            cfg=cfg,
            sampler=sampler_name,
            scheduler=scheduler,
            denoise=denoise,
            candidates=candidates,
            decide_at=decide_at,
            score=score,
            spacing=spacing or None,
        )
        selection = select_latent(
            Search(
                model=model,
                positive=positive,
                negative=negative,
                latent=latent_image,
                settings=settings,
                counts=counts,
            )
        )
        return io.NodeOutput(selection.latent, selection.seed, selection.table, ui=result_output(selection.result, cls))


def _choice_inputs() -> list[io.Input]:
    return [
        io.Int.Input(
            "candidates",
            default=_DEFAULT.candidates,
            min=1,
            max=256,
            tooltip="Number of starting noises. More find better ones and cost more.",
        ),
        io.Float.Input(
            "decide_at",
            default=_DEFAULT.decide_at,
            min=0.05,
            max=1.0,
            step=0.05,
            tooltip="The part of the steps after which the choice is made. The worse half is dropped a little earlier.",
        ),
        io.Combo.Input(
            "score",
            options=list(RANKS),
            default=_DEFAULT.score,
            tooltip=(
                "What ranks the candidates. places: how well the places where a noun is seen fit its number. "
                "paper: the ISAC paper's losses, summed over the steps until decide_at. algorithm 2: the paper's own "
                "way: all steps of every candidate, all layers, and LATENT is the best one's finished latent."
            ),
            advanced=True,
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Latent.Output(
            "latent",
            display_name="LATENT",
            tooltip=(
                "The latent with the best noises marked in it, for the sampler's latent_image. "
                "With algorithm 2 the finished latent, for VAE Decode."
            ),
        ),
        io.Int.Output("seed_out", display_name="seed", tooltip="The seed, for the sampler's seed input."),
        io.String.Output(
            "table",
            display_name="table",
            tooltip="How every candidate scored. The node shows it too.",
        ),
    ]
