"""Node: Generate Until Right."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.comfyui.previews import image_preview
from ..bridge.counters.count_check import BEST, STOP
from ..bridge.repair.settings import SEARCHES, STEERINGS, UntilRightSettings
from ..bridge.repair.until_right import Request, generate_until_right
from ._sampler_inputs import AS_IN_KSAMPLER, sampling_inputs, seed_input
from ._types import counter_input

_DEFAULT = UntilRightSettings(seed=0, steps=20, cfg=8.0, sampler="euler", scheduler="normal")
_LARGEST = 16384  # pixels, as of ComfyUI's own latents


class GenerateUntilRight(io.ComfyNode):
    """Makes pictures until the counter finds what was asked for."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountGenerateUntilRight",
            display_name="Generate Until Right",
            category="Headcount",
            description=(
                "Looks at a seed half-way, finishes it where it looks right, counts it, repairs it where little is wrong, and "
                "otherwise goes on, until the number of objects is right or the tries are used up. One node instead of prompt, "
                "sampler, decoder and check. The table says what was done for each seed. It is as reliable as the counter."
            ),
            search_aliases=["count", "retry", "until right", "best of n", "loop", "number of objects", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            inputs=[
                io.Model.Input("model", tooltip="The model that makes the images, with its LoRAs."),
                io.Clip.Input("clip", tooltip="The model's text encoder."),
                io.Vae.Input("vae", tooltip="The model's own."),
                counter_input(
                    "counter",
                    tooltip="Judges each image, such as COUNTER of Load Demo Model. Repair needs boxes or points.",
                ),
                *_texts(),
                *_size(),
                seed_input("The first seed that is tried; then come the next ones."),
                *sampling_inputs(_DEFAULT, AS_IN_KSAMPLER)[:-1],
                *_effort(),
                io.Combo.Input(
                    "if_none_right",
                    options=[BEST, STOP],
                    default=BEST,
                    tooltip="When no image is right. best picture: pass on the closest one. stop: pass on nothing, so that "
                    "nothing that follows is run or saved.",
                ),
                io.String.Input(
                    "objects",
                    default="",
                    optional=True,
                    tooltip="Leave empty to make what the prompt counts. '2 cats, 1 dog' asks for exactly these instead; "
                    "each noun must also appear in the prompt.",
                ),
                io.Combo.Input(
                    "search",
                    options=list(SEARCHES),
                    default=_DEFAULT.search,
                    optional=True,
                    tooltip="half-way: looks at each seed after half of its steps, finishes those that look right, and varies "
                    "those that are off by one. off: finishes every seed.",
                    advanced=True,
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, model, clip, vae, counter, text, negative, if_none_right, sampler_name, objects="", **settings
    ) -> io.NodeOutput:  # fmt: skip
        request = Request(
            model=model, clip=clip, vae=vae, counter=counter, text=text, negative=negative, objects=objects,
            settings=UntilRightSettings(sampler=sampler_name, **settings), if_none_right=if_none_right,
        )  # fmt: skip
        done = generate_until_right(request)
        shown = {**image_preview(done.shown, cls), **result_output(done.result, cls)}
        return io.NodeOutput(done.images, done.is_right, done.seed, done.table, ui=shown)


def _texts() -> list[io.Input]:
    return [
        io.String.Input(
            "text",
            multiline=True,
            dynamic_prompts=True,
            tooltip="Your prompt, with the numbers: 'three cats and a dog on a sofa'. What it counts is what has to be right.",
        ),
        io.String.Input(
            "negative", multiline=True, dynamic_prompts=True, default="", tooltip="What the images should not show."
        ),
    ]


def _size() -> list[io.Input]:
    return [
        io.Int.Input(
            name,
            default=default,
            min=16,
            max=_LARGEST,
            step=8,
            tooltip="Of an image, in pixels; the demo models take 128.",
        )
        for name, default in (("width", _DEFAULT.width), ("height", _DEFAULT.height))
    ]


def _effort() -> list[io.Input]:
    """How much is done for a right picture."""
    return [
        io.Int.Input(
            "tries",
            default=_DEFAULT.tries,
            min=1,
            max=1024,
            tooltip="Maximum number of seeds to try, without the variations of a seed that is nearly right.",
        ),
        io.Int.Input(
            "pictures",
            display_name="right images",
            default=_DEFAULT.pictures,
            min=1,
            max=64,
            tooltip="It stops once this many images are right.",
        ),
        io.Combo.Input(
            "isac",
            options=list(STEERINGS),
            default=_DEFAULT.isac,
            tooltip="fast: ISAC steers each image while it forms, for at most half an image more. off: plain sampling.",
        ),
        io.Int.Input(
            "rounds",
            default=_DEFAULT.rounds,
            min=0,
            max=64,
            tooltip="Maximum number of places to repaint in one image, as Count Repair does. 0: no repair.",
        ),
        io.Int.Input(
            "repair_up_to",
            default=_DEFAULT.repair_up_to,
            min=1,
            max=100,
            tooltip="An image is repaired where at most this many objects are too many or too few; otherwise the next seed "
            "is tried.",
            advanced=True,
        ),
        io.Float.Input(
            "budget",
            default=_DEFAULT.budget,
            min=0.0,
            max=1024.0,
            step=0.5,
            tooltip="Maximum cost of everything, in images without ISAC. Nothing is started that would exceed it. 0: no "
            "limit.",
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(
            display_name="images",
            tooltip="The right images, or the closest one; see if_none_right.",
        ),
        io.Boolean.Output(display_name="is right", tooltip="Whether it is right."),
        io.Int.Output(
            display_name="seed",
            tooltip="The seed of the first image. KSampler with it, and Count Control in mode fast where isac is fast, "
            "makes the same image, unless the table names a repair or a variation.",
        ),
        io.String.Output(display_name="table", tooltip="What was counted and done for each seed."),
    ]
