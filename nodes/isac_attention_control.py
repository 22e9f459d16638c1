"""Node: ISAC Attention Control."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.families.table import FAMILIES
from ..bridge.isac.control import CLUSTERINGS, MEMORY_SETTINGS, MODES, NODE, IsacSettings, with_isac
from ..bridge.isac.presets import CUSTOM, DEFAULT, PRESETS, preset_values
from ..bridge.recording.recorder import with_recorder
from ._types import MapsType, counts_input, layout_input, spacing_input

_DEFAULT, _PRESET = IsacSettings(), PRESETS[DEFAULT]


class IsacAttentionControl(io.ComfyNode):
    """Steers the latent at every step so that the asked number of instances forms."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountIsacAttentionControl",
            display_name="Count Control (ISAC Attention Control)",
            category="Headcount",
            description=(
                "Steers the image so the number of objects you asked for appears, and different objects do not mix. Put it "
                "between the model and the sampler, and encode the prompt with Count Prompt. Supports Stable Diffusion 1.5 "
                "to 3.5, SDXL, PixArt, Flux, Chroma, Qwen-Image, Lumina 2, NewBie, Z-Image, HiDream, Krea 2, Mage-Flow and the "
                "Shapes and emoji demo models; mode fast costs a fifth to two fifths more than plain sampling, exact a half to "
                "nine tenths more, most at cfg 1."
            ),
            search_aliases=[
                "isac attention control",
                "count",
                "number of objects",
                "instances",
                "attend and excite",
                "isac",
                "headcount",
            ],
            inputs=[
                io.Model.Input(
                    "model", tooltip="The model to steer. LoRAs and other patches may come before or after."
                ),
                counts_input(),
                *_strength_inputs(),
                *_step_inputs(),
                spacing_input("anchored only"),
                # What 0.1 did not have is optional, so that prompts saved with it still run.
                *_optional_inputs(),
                io.Combo.Input(
                    "preset",
                    optional=True,
                    options=[*PRESETS, CUSTOM],
                    default=DEFAULT,
                    tooltip="normal: steers from 10 % to 40 % of the steps. gentle: half of that step size, for images that "
                    "must change little. strong: steers every step. paper: the ISAC paper's objective and step. "
                    "custom: the settings as they stand here.",
                    extra_dict={"headcount_presets": PRESETS},
                ),
                layout_input(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, model, strength, start_percent, end_percent, step_mode, step_size, objective, spacing,
        mode="exact", bind=True, clustering="kmeans", memory="auto", preset=CUSTOM, layout=None, counts=None,
    ) -> io.NodeOutput:  # fmt: skip
        shown = {
            "step_mode": step_mode,
            "step_size": step_size,
            "objective": objective,
            "spacing": spacing,
            "mode": mode,
            "bind": bind,
            "clustering": clustering,
        }
        chosen = preset_values(preset, shown)
        settings = IsacSettings(
            start_percent=start_percent,
            end_percent=end_percent,
            memory=memory,
            **{**chosen, "step_size": chosen["step_size"] * strength, "spacing": chosen["spacing"] or None},
        )
        patched = (
            with_recorder(model, counts, NODE, FAMILIES)
            if settings.does_nothing
            else with_isac(model, settings, counts, layout)
        )
        return io.NodeOutput(*patched)


def _strength_inputs() -> list[io.Input]:
    return [
        io.Float.Input(
            "strength",
            default=1.0,
            min=0.0,
            max=4.0,
            step=0.05,
            tooltip="Multiplies the step size. 0 gives exactly the image that the model gives without this node.",
        ),
        io.Float.Input(
            "start_percent",
            default=_DEFAULT.start_percent,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Steer from this part of the sampling on. 0 is the first step.",
        ),
        io.Float.Input(
            "end_percent",
            default=_DEFAULT.end_percent,
            min=0.0,
            max=1.0,
            step=0.01,
            tooltip="Stop steering at this part of the sampling; later steps cost nothing extra. 1 is the last step.",
        ),
    ]


def _step_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "step_mode",
            options=["relative", "paper"],
            default=_PRESET["step_mode"],
            tooltip="relative: each step moves the latent by a fixed share of its length, on every model alike. "
            "paper: the step is the gradient times eta, as the ISAC paper has it.",
            advanced=True,
        ),
        io.Float.Input(
            "step_size",
            default=_PRESET["step_size"],
            min=0.0,
            max=10.0,
            step=0.0001,
            round=False,
            tooltip="relative: the longest step, as a share of the latent's length, about 0.02 to 0.1. "
            "paper: eta, 0.01 in the paper.",
            advanced=True,
        ),
        io.Combo.Input(
            "objective",
            options=["anchored", "paper"],
            default=_PRESET["objective"],
            tooltip="anchored: each requested object gets its own spot and nothing extra is drawn. paper: the ISAC "
            "paper's losses, the overlap of instances and of classes.",
            advanced=True,
        ),
    ]


def _optional_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "mode",
            optional=True,
            options=list(MODES),
            default=_PRESET["mode"],
            tooltip="exact: steer from start_percent to end_percent. fast: steer only from 10 % to 40 % of the steps, "
            "in which the number of objects is decided; a third of the extra time. fast by noise: like fast, but "
            "measured by noise level instead of steps, for schedules whose noise falls unevenly.",
        ),
        io.Boolean.Input(
            "bind",
            optional=True,
            default=_PRESET["bind"],
            tooltip="Keep colours and other attributes with their noun, in prompts such as 'a red cat and a blue dog'.",
        ),
        io.Combo.Input(
            "clustering",
            optional=True,
            options=list(CLUSTERINGS),
            default=_PRESET["clustering"],
            tooltip="paper only: what tells the instances apart. kmeans is the paper's and by far the fastest.",
            advanced=True,
        ),
        io.Combo.Input(
            "memory",
            optional=True,
            options=list(MEMORY_SETTINGS),
            default=_DEFAULT.memory,
            tooltip="auto: compute parts of the model twice when memory is short. fast: only after memory ran out. "
            "low: always; slower, and needs the least memory.",
            advanced=True,
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Model.Output(display_name="MODEL", tooltip="The steered model, for any sampler."),
        MapsType.Output(display_name="MAPS", tooltip="What the model attended to, for the viewer and Object Masks."),
    ]
