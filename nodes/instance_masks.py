"""Node: Instance Masks."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import NodeResult, result_output
from ..bridge.comfyui.previews import image_preview
from ..bridge.views.instances import find_instances
from ..core.counting import count_words
from ._types import BoxesType, MapsType


class InstanceMasks(io.ComfyNode):
    """One mask and one box per instance, from recorded attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountInstanceMasks",
            display_name="Object Masks (Instance Masks)",
            category="Headcount",
            description=(
                "Separates the counted objects of one image by the model's own attention: a mask and a box for each, for "
                "inpainting, regional prompts and detailers. The masks are as coarse as the model's attention."
            ),
            search_aliases=["instance masks", "segment", "instances", "boxes", "detailer", "count", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,  # its result is sent again where it is cached
            inputs=[
                MapsType.Input("maps", tooltip="MAPS from Count Control, Count Guide or Attention Map Recorder."),
                io.Latent.Input(
                    "samples",
                    tooltip="The sampler's LATENT. It says which run to read, and makes this node wait for it.",
                ),
                io.Combo.Input(
                    "instances",
                    options=["found", "asked", "layout"],
                    default="found",
                    tooltip="found: as many as the maps show. asked: as many as the prompt asks for. layout: where Count "
                    "Guide planned them.",
                ),
                io.Int.Input(
                    "batch_index",
                    default=0,
                    min=0,
                    max=4095,
                    tooltip="Which image of the batch, or which frame of a video's latent; the first one is 0. Of two "
                    "videos, the second one's frames come after the first one's.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.05,
                    max=0.95,
                    step=0.05,
                    tooltip="How far an object must stand out from its surroundings; higher gives smaller masks and fewer "
                    "objects.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The decoded image, for the preview of numbered outlines; on grey without one.",
                ),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, maps, samples, instances, batch_index, threshold, image=None) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        found = find_instances(
            maps, samples["samples"], item=batch_index, which=instances, threshold=threshold, image=image
        )
        masks = found.masks.float()
        result = NodeResult(f"{count_words(len(found.boxes), 'objects')} found", table=found.text)
        shown = {**image_preview(found.outlined, cls), **result_output(result, cls)}
        return io.NodeOutput(masks, len(found.boxes), found.as_boxes, found.text, ui=shown)


def _outputs() -> list[io.Output]:
    return [
        io.Mask.Output(
            display_name="masks",
            tooltip="One mask per object, at the image's size; a single empty one when nothing is found.",
        ),
        io.Int.Output(display_name="how many", tooltip="How many objects there are."),
        BoxesType.Output(
            display_name="boxes",
            tooltip="A list with this image's boxes, one per object: x, y, width and height in pixels, its noun as "
            "label, and as score how far it stands out in the map, 0 to 1.",
        ),
        io.String.Output(display_name="boxes as text", tooltip="One line per object: its noun and its box."),
    ]
