"""Node: Load Shapes Video Model."""

from __future__ import annotations

from comfy_api.latest import io

from ..bridge.demo_models.files import load_shapes_video_model


class LoadShapesVideoModel(io.ComfyNode):
    """Gives MODEL, CLIP and VAE of the small video model."""

    @classmethod
    def define_schema(cls) -> io.Schema:
        return io.Schema(
            node_id="HeadcountLoadShapesVideoModel",
            display_name="Load Shapes Video Model",
            category="Headcount",
            description=(
                "A small text-to-video model built like Wan 2.1. It draws up to six moving circles, squares, triangles, "
                "stars, hearts, rings, crosses and moons, in red, blue, green, yellow, purple or black. Use it with Empty "
                "HunyuanVideo Latent at 128 x 128 and length 29, which makes 8 frames (4 more for each further one), "
                "about 20 steps and cfg 3."
            ),
            search_aliases=["shapes", "demo", "toy model", "video", "wan", "headcount"],
            outputs=[
                io.Model.Output(display_name="MODEL", tooltip="The diffusion model, for any sampler."),
                io.Clip.Output(display_name="CLIP", tooltip="Its text encoder, for Count Prompt or CLIP Text Encode."),
                io.Vae.Output(
                    display_name="VAE",
                    tooltip="Its autoencoder, for VAE Decode and VAE Encode. Every latent frame is one image.",
                ),
            ],
        )

    @classmethod
    def execute(cls) -> io.NodeOutput:
        loaded = load_shapes_video_model()
        return io.NodeOutput(loaded.model, loaded.clip, loaded.vae)
