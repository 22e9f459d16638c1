"""Node: Count Repair."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import result_output
from ..bridge.comfyui.previews import image_preview
from ..bridge.repair.count_repair import counts_of, repair_pictures
from ..bridge.repair.painter import Painter
from ..bridge.repair.settings import RepairSettings
from ._sampler_inputs import sampling_inputs, seed_input
from ._types import BoxesType, boxes_input, counter_input, counts_input

_DEFAULT = RepairSettings(seed=0, steps=20, cfg=8.0, sampler="euler", scheduler="normal")


class CountRepair(io.ComfyNode):
    """Paints over what is too many, paints what is missing, and counts again after each change."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountCountRepair",
            display_name="Count Repair",
            category="Headcount",
            description=(
                "Repairs images that show a wrong number of objects: paints over a surplus object, paints a missing one "
                "where there is room, and counts again after each change. A change that does not help is undone, and a "
                "right image stays as it is to the last pixel. What is still wrong comes out as mask, boxes and prompt for "
                "other inpainting models. It is as reliable as the counter."
            ),
            search_aliases=["count", "inpaint", "remove object", "add object", "number of objects", "fix", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            is_output_node=True,
            inputs=[
                io.Image.Input("image", tooltip="The images. Each one is counted and repaired by itself."),
                io.Model.Input(
                    "model",
                    tooltip="Paints the changes: the model that made the image. ISAC on it is left out.",
                ),
                io.Clip.Input("clip", tooltip="Encodes the words of each change, such as 'a cat on a sofa'."),
                io.Vae.Input("vae", tooltip="The model's own."),
                io.Conditioning.Input("positive", tooltip="From Count Prompt: it says what is asked for."),
                io.Conditioning.Input("negative", tooltip="The same as in the sampler that made the image."),
                seed_input("The seed of the first change; each further change uses the next one."),
                *sampling_inputs(_DEFAULT)[:-1],
                *repair_inputs(_DEFAULT),
                counter_input(
                    "counter",
                    tooltip="Counts before and after each change, such as COUNTER of Load Demo Model. It has to say where "
                    "objects are.",
                    optional=True,
                ),
                boxes_input(),
                counts_input(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(
        cls, image, model, clip, vae, positive, negative, seed, steps, cfg, sampler_name, scheduler, denoise, rounds, growth,
        feather, context, counter=None, boxes=None, counts=None,
    ) -> io.NodeOutput:  # fmt: skip
        settings = RepairSettings(
            seed=seed, steps=steps, cfg=cfg, sampler=sampler_name, scheduler=scheduler, denoise=denoise, rounds=rounds,
            growth=growth, feather=feather, context=context,
        )  # fmt: skip
        painter = Painter(
            model=model, clip=clip, vae=vae, positive=positive, negative=negative, counts=counts_of(positive, counts),
            settings=settings,
        )  # fmt: skip
        done = repair_pictures(image, painter, counter, boxes)
        shown = {**image_preview(done.images, cls), **result_output(done.result, cls)}
        return io.NodeOutput(
            done.images, done.all_right, done.plan.masks, done.plan.boxes, done.plan.prompt, done.plan.instruction, done.table,
            ui=shown,
        )  # fmt: skip


def repair_inputs(default: RepairSettings) -> list[io.Input]:
    """denoise, rounds, growth, feather and context, with the defaults of a node's settings."""
    return [
        io.Float.Input(
            "denoise",
            default=default.denoise,
            min=0.05,
            max=1.0,
            step=0.05,
            tooltip="How much of a place is painted anew. Lower keeps more of the smooth background that is laid there first.",
        ),
        io.Int.Input(
            "rounds",
            default=default.rounds,
            min=0,
            max=64,
            tooltip="Maximum number of places to repaint in one image; each costs at most as much as an image. 0: only plan.",
        ),
        io.Float.Input(
            "growth",
            default=default.growth,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="How far a place reaches beyond the box of its object, as a part of the box's longer side.",
            advanced=True,
        ),
        io.Int.Input(
            "feather",
            default=default.feather,
            min=0,
            max=256,
            tooltip="Over how many pixels the paint blends into the image. Beyond them every pixel stays as it was.",
            advanced=True,
        ),
        io.Float.Input(
            "context",
            default=default.context,
            min=1.5,
            max=64.0,
            step=0.5,
            tooltip="How much of the image the model sees while it paints, as a multiple of the object's side; it is "
            "scaled up to the image's size. Large: the whole image.",
            advanced=True,
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(display_name="images", tooltip="The images, repaired as far as possible, never worse."),
        io.Boolean.Output(display_name="all right", tooltip="Whether all images are right now."),
        io.Mask.Output(
            display_name="masks",
            tooltip="Per image, where the next change is to be painted; empty where it is right.",
        ),
        BoxesType.Output(
            display_name="boxes",
            tooltip="Per image, a box for each change that is still to be made, labelled with what comes or goes.",
        ),
        io.String.Output(
            display_name="prompt",
            tooltip="What is to be painted in the mask of the first image that is wrong, for an inpainting model.",
        ),
        io.String.Output(
            display_name="instruction",
            tooltip="The same image's changes as sentences for an editing model: 'Remove one cat. Add one dog.'",
        ),
        io.String.Output(display_name="table", tooltip="What was counted and changed, one line per image."),
    ]
