"""Nodes that the example workflows have in common."""

from __future__ import annotations

from .workflow_file import Placed

BLUE, GREY, GREEN, PURPLE = "#3f789e", "#888888", "#88aa55", "#a1309b"
SAMPLING = {"seed": 1, "steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
PROMPTS = {"positive": ("prompt", "CONDITIONING"), "negative": ("negative", "CONDITIONING")}


def source(text: str, pictures: int) -> tuple[Placed, ...]:
    """What every Shapes workflow starts with: model, prompts, empty latent."""
    return (
        Placed("model", "HeadcountLoadShapesDemoModel"),
        Placed("prompt", "HeadcountCountPrompt", {"clip": ("model", "CLIP")}, {"text": text}),
        Placed("negative", "CLIPTextEncode", {"clip": ("model", "CLIP")}, {"text": ""}, "Negative prompt (empty)"),
        Placed("latent", "EmptyLatentImage", {}, {"width": 128, "height": 128, "batch_size": pictures}),
    )


def sampler(key: str, model: str, **other_links: tuple[str, str]) -> Placed:
    """A KSampler of the Shapes model's settings; `other_links` take the place of the usual ones."""
    links = {"model": (model, "MODEL"), **PROMPTS, "latent_image": ("latent", "LATENT"), **other_links}
    return Placed(key, "KSampler", links, SAMPLING)


def decode(key: str, samples: str) -> Placed:
    """VAE Decode of what the sampler `samples` made."""
    return Placed(key, "VAEDecode", {"samples": (samples, "LATENT"), "vae": ("model", "VAE")})
