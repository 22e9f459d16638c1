"""The example workflows and the blueprint, and what takes the place of model files that are not to be had here."""

from __future__ import annotations

from typing import Any

from demo.comfy_host import ROOT
from demo.node_widgets import Input, Schema, widgets_of

BLUEPRINT = ROOT / "subgraphs" / "Generate N objects.json"
INPUT_NODE, OUTPUT_NODE = -10, -20
"""ComfyUI's ids of the two ends of a subgraph."""
PICTURE_FAMILIES = tuple(f"{family} - the right number" for family in ("Krea 2", "Qwen-Image", "Z-Image"))
VIDEO_FAMILIES = tuple(f"{family} - the right number in a video" for family in ("MiniMax H3", "LTX-2.3", "Wan 2.2"))
NEEDS_NEWER = "Qwen-Image 2.1 - the right number"
"""Its model's class is in ComfyUI 0.37 and newer."""
FOR_LARGE_MODELS = (
    *(
        "Wan 2.1 - the right number in a video",
        "SD 1.5 - the right number",
        "SDXL - the right number",
        "SD 3.5 - the right number",
        "Flux - the right number",
        "Flux - the right number by layout",
    ),
    *PICTURE_FAMILIES,
    *VIDEO_FAMILIES,
    NEEDS_NEWER,
    *(
        "Count a photo with SAM3",
        "Count a video with SAM3",
        "SDXL - keep only right images with SAM3",
        "SDXL - find a seed with SAM3",
        "Count a photo with a detector",
        "Ask a language model how many",
        "4 Count your photo",
    ),
)
"""Their model files are gigabytes; tests/server/test_model_workflows.py runs some with small models."""
LOADERS = {
    "CheckpointLoaderSimple": ("checkpoints",),
    "UNETLoader": ("diffusion_models",),
    "CLIPLoader": ("text_encoders",),
    "VAELoader": ("vae",),
    "LoraLoaderModelOnly": ("loras",),
    "LTXAVTextEncoderLoader": ("text_encoders", "checkpoints"),
    "LTXVAudioVAELoader": ("checkpoints",),
}
"""Node -> the folders of models that its files are in, in their order."""
AUTHORS_FILE = "best_model_paper.pth"
"""T2ICount's weights, for which no licence is stated: a workflow may name them, but offers no download."""


def widget_values(node: dict[str, Any], schema: Schema) -> list[tuple[Input, Any]]:
    """A node's widgets with the values in the file; None for one that the file has no value of."""
    values = iter(node.get("widgets_values") or [])
    return list(widgets_of(schema, lambda widget: next(values, None)))


def with_shipped_counter(prompt: dict[str, Any]) -> dict[str, Any]:
    """The shipped counter in place of the T2ICount authors' file, with a noun that it knows. Changes `prompt`."""
    for placed in prompt.values():
        if placed["inputs"].get("model_name") == AUTHORS_FILE:
            placed["inputs"]["model_name"] = "shapes_counter.safetensors"
            [counter] = [other for other in prompt.values() if other["class_type"] == "HeadcountT2ICountCounter"]
            counter["inputs"]["text"] = "circles"
    return prompt
