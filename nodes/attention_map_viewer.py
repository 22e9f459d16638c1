"""Node: Attention Map Viewer."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.comfyui.previews import image_preview
from ..bridge.views.viewer import ViewSettings, view_maps
from ..bridge.views.viewer_data import viewer_output
from ._types import MapsType


class AttentionMapViewer(io.ComfyNode):
    """Lays recorded attention over the picture."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountAttentionMapViewer",
            display_name="Attention Map Viewer",
            category="Headcount",
            description=(
                "Shows where words live in the picture: one heat overlay and one mask per word, the regions that the "
                "model's self-attention holds together, or how a noun's map forms step by step. Never samples again."
            ),
            search_aliases=["heatmap", "daam", "attention", "cross attention", "headcount"],
            is_output_node=True,
            inputs=[
                MapsType.Input(
                    "maps", tooltip="MAPS from ISAC Attention Control, NUMINA Count Guide or Attention Map Recorder."
                ),
                io.Latent.Input(
                    "samples",
                    tooltip="The sampler's LATENT. It says which run to show, and makes this node wait for it.",
                ),
                io.Image.Input(
                    "image",
                    optional=True,
                    tooltip="The decoded picture to draw on, or the whole decoded video, of which one picture is taken for "
                    "each frame of the latent; grey without one.",
                ),
                io.Combo.Input(
                    "show",
                    options=["words", "regions", "steps", "layout"],
                    default="words",
                    tooltip="words: heat per word. regions: what self-attention holds together. "
                    "steps: the heat of the counted nouns through the sampling. "
                    "layout: what NUMINA Count Guide saw, and what it made of it.",
                ),
                io.String.Input(
                    "words",
                    default="",
                    tooltip="Words to show, separated by commas. Empty: the counted nouns. all: every word of the prompt.",
                ),
                io.Float.Input(
                    "opacity",
                    default=0.7,
                    min=0.0,
                    max=1.0,
                    step=0.05,
                    tooltip="How strongly colour covers the picture.",
                ),
                io.Combo.Input(
                    "scale",
                    options=["per word", "shared"],
                    default="per word",
                    tooltip="per word: each map from its own least to its own most. shared: one scale, so that words compare.",
                ),
            ],
            outputs=[
                io.Image.Output(
                    display_name="IMAGE",
                    tooltip="Overlays: every word of the first picture, then of the second, and so on. "
                    "Of a video, a picture is a frame of the latent: Wan's frame n is picture 4n + 1 of the video, from n = 0.",
                ),
                io.Mask.Output(display_name="MASK", tooltip="The same maps as masks, 0 to 1, in the same order."),
                io.String.Output(display_name="STRING", tooltip="What each picture of the batch shows, one line each."),
            ],
        )

    @classmethod
    def execute(cls, maps, samples, show, words, opacity, scale, image=None) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        settings = ViewSettings(show=show, words=words, opacity=opacity, scale=scale)
        view = view_maps(maps, samples["samples"], image, settings)
        shown = {**image_preview(view.pictures, cls), **viewer_output(maps, samples["samples"], image)}
        return io.NodeOutput(view.pictures, view.masks, view.text, ui=shown)
