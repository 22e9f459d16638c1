"""Node: NUMINA Count Guide."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.numina.node import no_low_noise_model, with_numina, with_shared_guide
from ..bridge.numina.settings import AUTO_LAYER, METHODS, WHENS, NuminaSettings
from ..bridge.numina.shared_guide import SharedGuide
from ._types import MapsType, counts_input, layout_input

_DEFAULT = NuminaSettings()


class NuminaCountGuide(io.ComfyNode):
    """Reads what is about to be drawn early on, and samples again with the counts corrected."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountNuminaCountGuide",
            display_name="Count Guide (NUMINA)",
            category="Headcount",
            description=(
                "Checks at an early step how many of each object the video or image is about to show. Where that is not "
                "what the prompt asks for, it restarts from the same noise and makes the model attend to the prompt's words "
                "in the right places. Put it between the model and the sampler, and encode the prompt with Count Prompt. "
                "Supports Wan 2.1 and 2.2, HunyuanVideo, LTX, MiniMax H3, Mochi, CogVideoX, Cosmos and Anima, and the image "
                "models that Count Control supports, except PixArt. A restart costs about 1.4 times plain sampling."
            ),
            search_aliases=["numina count guide", "count", "number of objects", "video", "wan", "numina", "headcount"],
            inputs=[
                io.Model.Input(
                    "model",
                    tooltip="The model to guide. LoRAs and other patches may come before or after. For Wan 2.2 14B: the "
                    "high-noise model.",
                ),
                *_settings_inputs(),
                io.Model.Input(
                    "low_noise_model",
                    optional=True,
                    tooltip="For Wan 2.2 14B: the low-noise model. It follows the same layout.",
                ),
                counts_input(),
                layout_input(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, model, strength, reference_percent, method, when, reference_layer, cache,
        low_noise_model=None, counts=None, layout=None,
    ) -> io.NodeOutput:  # fmt: skip
        settings = NuminaSettings(
            strength=strength,
            reference_percent=reference_percent,
            method=method,
            when=when,
            reference_layer=reference_layer,
            cache=cache,
        )
        shared = SharedGuide()
        guided, maps = with_numina(model, settings, counts, shared, layout)
        if low_noise_model is None:
            return io.NodeOutput(guided, maps, no_low_noise_model())
        return io.NodeOutput(guided, maps, with_shared_guide(low_noise_model, settings, counts, shared))


def _settings_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "strength",
            default=_DEFAULT.strength,
            min=0.0,
            max=4.0,
            step=0.05,
            tooltip="Strength of the attention bias towards the corrected layout. 0 changes nothing and still shows "
            "the detected layout.",
        ),
        io.Float.Input(
            "reference_percent",
            default=_DEFAULT.reference_percent,
            min=0.05,
            max=0.9,
            step=0.01,
            tooltip="How far into the sampling the layout is read. Later is more reliable, but a restart then costs "
            "more: 0.4 means 1.4 times the sampling time.",
        ),
        io.Combo.Input(
            "method",
            options=list(METHODS),
            default=_DEFAULT.method,
            tooltip="robust: this pack's own reading and correction, which changes nothing where it cannot read the "
            "layout. paper: as the NUMINA paper describes it. release: as the authors' code does it, its cache "
            "included.",
            advanced=True,
        ),
        io.Combo.Input(
            "when",
            options=list(WHENS),
            default=_DEFAULT.when,
            tooltip="What reference_percent goes by. steps: the sampler's steps. noise level: how much noise is left, "
            "whatever the scheduler. auto: noise level for robust on Wan, else steps.",
            advanced=True,
        ),
        io.Int.Input(
            "reference_layer",
            default=_DEFAULT.reference_layer,
            min=AUTO_LAYER,
            max=200,
            tooltip="Attention layer that the layout is read in, from 0. -1 chooses: 15 for Wan as in the paper, the "
            "middle one elsewhere.",
            advanced=True,
        ),
        io.Boolean.Input(
            "cache",
            default=_DEFAULT.cache,
            tooltip="Save model calls on the way to the reference step where hardly anything changes. The image "
            "itself is computed in full.",
            advanced=True,
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Model.Output(display_name="MODEL", tooltip="The guided model, for any sampler."),
        MapsType.Output(
            display_name="MAPS",
            tooltip="The detected and the corrected layout, for the viewer and Object Masks.",
        ),
        io.Model.Output(
            display_name="LOW_NOISE_MODEL",
            tooltip="The low-noise model, guided; otherwise empty.",
        ),
    ]
