"""Node: Instance Masks."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.node_text import NodeResult, result_output
from ..bridge.comfyui.previews import mask_preview
from ..bridge.views.instances import find_instances
from ..core.counting import count_words
from ._types import BoxesType, MapsType


class InstanceMasks(io.ComfyNode):
    """One mask and one box per instance, from recorded attention."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountInstanceMasks",
            display_name="Instance Masks",
            category="Headcount",
            description=(
                "Separates the counted things of one picture by the model's own attention: a mask and a box for each, "
                "for inpainting, regional prompts and detailers. The masks are as coarse as the model's attention."
            ),
            search_aliases=["segment", "instances", "boxes", "detailer", "count", "headcount"],
            hidden=[io.Hidden.prompt, io.Hidden.extra_pnginfo],
            has_intermediate_output=True,  # its result is sent again where it is cached
            inputs=[
                MapsType.Input(
                    "maps", tooltip="MAPS from ISAC Attention Control, NUMINA Count Guide or Attention Map Recorder."
                ),
                io.Latent.Input(
                    "samples",
                    tooltip="The sampler's LATENT. It says which run to read, and makes this node wait for it.",
                ),
                io.Combo.Input(
                    "instances",
                    options=["found", "asked", "layout"],
                    default="found",
                    tooltip="found: as many as the maps show. asked: as many as the prompt asks for. "
                    "layout: where NUMINA Count Guide wanted them.",
                ),
                io.Int.Input(
                    "batch_index",
                    default=0,
                    min=0,
                    max=4095,
                    tooltip="Which picture of the batch, or which frame of a video's latent; the first one is 0. "
                    "Of two videos, the second one's frames come after the first one's.",
                ),
                io.Float.Input(
                    "threshold",
                    default=0.5,
                    min=0.05,
                    max=0.95,
                    step=0.05,
                    tooltip="How far a thing must stand out from its surroundings; higher gives smaller masks, fewer things.",
                ),
            ],
            outputs=[
                io.Mask.Output(
                    display_name="MASK",
                    tooltip="One mask per instance, in the picture's size; a single empty one when nothing is found.",
                ),
                io.Int.Output(display_name="INT", tooltip="How many instances there are."),
                BoxesType.Output(
                    display_name="BOUNDING_BOX",
                    tooltip="A list with this picture's boxes, one per instance: x, y, width and height in pixels, its noun "
                    "as label, and as score how far it stands out in the map, 0 to 1.",
                ),
                io.String.Output(display_name="STRING", tooltip="One line per instance: its noun and its box."),
            ],
        )

    @classmethod
    def execute(cls, maps, samples, instances, batch_index, threshold) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        found = find_instances(maps, samples["samples"], batch_index, instances, threshold)
        masks = found.masks.float()
        result = NodeResult(f"{count_words(len(found.boxes), 'objects')} found", table=found.text)
        shown = {**mask_preview(masks, cls), **result_output(result, cls)}
        return io.NodeOutput(masks, len(found.boxes), found.as_boxes, found.text, ui=shown)
