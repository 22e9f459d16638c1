"""Node: Load Shapes Demo Model."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.demo_models.files import load_shapes_model


class LoadShapesDemoModel(io.ComfyNode):
    """Gives MODEL, CLIP and VAE of the small model that ships with the pack."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountLoadShapesDemoModel",
            display_name="Load Shapes Demo Model",
            category="Headcount",
            description=(
                "A small text-to-image model that ships with the pack. It draws circles, squares, triangles, stars, "
                "hearts, rings, crosses and moons, in red, blue, green, yellow, purple or black, in seconds on a CPU. "
                "Use it with a latent of 128 x 128, about 20 steps and cfg 3."
            ),
            search_aliases=["shapes", "demo", "toy model", "headcount"],
            outputs=[
                io.Model.Output(
                    display_name="MODEL",
                    tooltip="The diffusion model, for any sampler. Made for latents of 128 x 128, about 20 steps and cfg 3; "
                    "larger latents take minutes and fill up with shapes.",
                ),
                io.Clip.Output(display_name="CLIP", tooltip="Its text encoder, for Count Prompt or CLIP Text Encode."),
                io.Vae.Output(display_name="VAE", tooltip="Its autoencoder, for VAE Decode and VAE Encode."),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        loaded = load_shapes_model()
        return io.NodeOutput(loaded.model, loaded.clip, loaded.vae)
