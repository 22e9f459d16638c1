"""Node: Attention Map Viewer."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.previews import image_preview
from ..bridge.views.viewer import ViewSettings, selected_objects, view_maps
from ..bridge.views.viewer_data import viewer_output
from ._types import BoxesType, MapsType


class AttentionMapViewer(io.ComfyNode):
    """Lays recorded attention over the picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountAttentionMapViewer",
            display_name="Attention Map Viewer",
            category="Headcount",
            description=(
                "Shows where each word ends up in the image: a heat map and a mask per word, the areas that the model "
                "treats as one, the objects found, or how the maps form step by step. Click an object in the view for its "
                "mask and box. Never samples again."
            ),
            search_aliases=["heatmap", "daam", "attention", "cross attention", "headcount"],
            is_output_node=True,
            inputs=[
                MapsType.Input("maps", tooltip="MAPS from Count Control, Count Guide or Attention Map Recorder."),
                io.Latent.Input(
                    "samples",
                    tooltip="The sampler's LATENT. It says which run to show, and makes this node wait for it.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The decoded image to draw on, or the whole decoded video, of which one image is used for each "
                    "frame of the latent; grey without one.",
                ),
                *_view_inputs(),
            ],
            outputs=_outputs(),
        )

    @classmethod
    def execute(cls, maps, samples, show, words, opacity, scale, image=None, selected="") -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        settings = ViewSettings(show=show, words=words, opacity=opacity, scale=scale)
        picked = selected_objects(maps, samples["samples"], image, selected)
        view = view_maps(maps, samples["samples"], image, settings)
        shown = {**image_preview(view.pictures, cls), **viewer_output(maps, samples["samples"], image)}
        return io.NodeOutput(view.pictures, view.masks, view.text, picked.masks, picked.boxes, ui=shown)


def _view_inputs() -> list[io.Input]:
    return [
        io.Combo.Input(
            "show",
            options=["words", "regions", "steps", "layout", "objects"],
            default="words",
            tooltip="words: a heat map per word. regions: areas the model treats as one (self-attention). "
            "steps: how the heat maps of the counted words form, step by step. "
            "layout: what Count Guide detected, and the corrected layout. "
            "objects: the objects found, outlined and numbered.",
        ),
        io.String.Input(
            "words",
            default="",
            tooltip="Words to show, separated by commas. Empty: the counted words. all: every word of the prompt.",
        ),
        io.Float.Input(
            "opacity",
            default=0.7,
            min=0.0,
            max=1.0,
            step=0.05,
            tooltip="Overlay opacity.",
        ),
        io.Combo.Input(
            "scale",
            options=["per word", "shared"],
            default="per word",
            tooltip="per word: each map is stretched from its own minimum to its own maximum. shared: one scale, "
            "so that words compare.",
        ),
        io.String.Input(
            "selected",
            default="",
            optional=True,
            tooltip="Objects for selected_masks and selected_boxes, such as '1:3' for object 3 of image 1. "
            "A click on an object in the view writes it.",
        ),
    ]


def _outputs() -> list[io.Output]:
    return [
        io.Image.Output(
            display_name="overlays",
            tooltip="Overlays: every word of the first image, then of the second, and so on. Of a video, an image "
            "is a frame of the latent: Wan's frame n is image 4n + 1 of the video, from n = 0.",
        ),
        io.Mask.Output(display_name="masks", tooltip="The same maps as masks, 0 to 1, in the same order."),
        io.String.Output(display_name="descriptions", tooltip="What each overlay shows, one line each."),
        io.Mask.Output(
            display_name="selected_masks",
            tooltip="A mask for each object that was clicked in the view; a single empty one without any.",
        ),
        BoxesType.Output(
            display_name="selected_boxes",
            tooltip="The boxes of the objects that were clicked: x, y, width, height, and the noun as label.",
        ),
    ]
