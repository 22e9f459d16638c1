"""Node: Load Demo Model."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.demo_models.choice import DEMO_MODELS, load_demo_model
from ..bridge.demo_models.emoji_counter import load_emoji_counter
from ..bridge.t2icount.loaded import load_counter
from ._types import CounterType

_SHAPES_COUNTER = "shapes_counter.safetensors"


class LoadDemoModel(io.ComfyNode):
    """Gives everything that a workflow of a small model in this pack starts with."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountLoadDemoModel",
            display_name="Load Demo Model",
            category="Headcount",
            description=(
                "A small text-to-image model that ships with the pack and runs in seconds on a CPU, with an empty latent of "
                "its size and a counter for its images. Use about 20 steps and cfg 3; with 'emoji, 8 steps' 8 and cfg 1."
            ),
            search_aliases=["demo", "emoji", "shapes", "toy model", "headcount"],
            inputs=[
                io.Combo.Input(
                    "model",
                    options=list(DEMO_MODELS),
                    default="emoji",
                    tooltip="emoji: 21 nouns such as cats, dogs, apples, cars and books, 1 to 12 of one to four kinds. emoji, "
                    "8 steps: the same model, distilled as turbo models are; use 8 steps and cfg 1. shapes: circles, squares, "
                    "triangles, stars, hearts, rings, crosses and moons in six colours. Only in a clone of the repository: "
                    "emoji, transformer, a small Lumina 2, and emoji, video, a small Wan 2.1 for clips of up to six fruits, "
                    "cups or books.",
                ),
                io.Int.Input(
                    "batch_size", default=1, min=1, max=64, tooltip="How many images the sampler makes from the LATENT."
                ),
            ],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The diffusion model, for any sampler: about 20 steps and cfg 3, or 8 steps and cfg 1.",
                ),
                io.Clip.Output(display_name="CLIP", tooltip="Its text encoder, for Count Prompt or CLIP Text Encode."),
                io.Vae.Output(display_name="VAE", tooltip="Its autoencoder, for VAE Decode and VAE Encode."),
                io.Latent.Output(
                    display_name="LATENT",
                    tooltip="Empty, for images of 128 x 128, the size that the model was made for.",
                ),
                CounterType.Output(
                    display_name="COUNTER",
                    tooltip="Counts the model's nouns in its images: for Object Counter and Count Search.",
                ),
            ],
        )

    @classmethod
    def execute(cls, model, batch_size) -> io.NodeOutput:  # noqa: ANN001 - ComfyUI's
        loaded, latent = load_demo_model(model, batch_size)
        counter = load_counter(_SHAPES_COUNTER, "fp32") if model == "shapes" else load_emoji_counter()
        return io.NodeOutput(loaded.model, loaded.clip, loaded.vae, latent, counter)
