"""Nodes that the example workflows have in common."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from .workflow_file import Group, Placed

BLUE, GREY, GREEN, PURPLE = "#3f789e", "#888888", "#88aa55", "#a1309b"
SAMPLING = {"seed": 1, "steps": 20, "cfg": 3.0, "sampler_name": "euler", "scheduler": "simple"}
PROMPTS = {"positive": ("prompt", "CONDITIONING"), "negative": ("negative", "CONDITIONING")}


@dataclass(frozen=True)
class Sampling:
    """What all samplers of a workflow have in common: their widgets, and where their prompts come from."""

    widgets: dict[str, Any]
    prompts: dict[str, tuple[str, str]]


_SHAPES = Sampling(SAMPLING, PROMPTS)


def source(text: str, pictures: int) -> tuple[Placed, ...]:
    """What every Shapes workflow starts with: model, prompts, empty latent."""
    return (
        Placed("model", "HeadcountLoadShapesDemoModel"),
        Placed("prompt", "HeadcountCountPrompt", {"clip": ("model", "CLIP")}, {"text": text}),
        Placed("negative", "CLIPTextEncode", {"clip": ("model", "CLIP")}, {"text": ""}, "Negative prompt (empty)"),
        Placed("latent", "EmptyLatentImage", {}, {"width": 128, "height": 128, "batch_size": pictures}),
    )


def sampler(key: str, model: str, how: Sampling = _SHAPES, **other_links: tuple[str, str]) -> Placed:
    """A KSampler, of the Shapes model's settings unless others are given; `other_links` take the place of the usual ones."""
    links = {"model": (model, "MODEL"), **how.prompts, "latent_image": ("latent", "LATENT"), **other_links}
    return Placed(key, "KSampler", links, how.widgets)


def decode(key: str, samples: str) -> Placed:
    """VAE Decode of what the sampler `samples` made."""
    return Placed(key, "VAEDecode", {"samples": (samples, "LATENT"), "vae": ("model", "VAE")})


def read_prompt() -> Placed:
    """What Count Prompt counts, as text."""
    return Placed("read", "PreviewAny", {"source": ("prompt", "summary")}, title="What is counted")


def side_by_side(key: str, node: Placed, name: str, file: str, how: Sampling = _SHAPES) -> tuple[Group, Group]:
    """Two rows from the same noise: the model as it is, and with a node between it and the sampler.

    Args:
        key: what the keys of the second row begin with.
        node: gives the second row's model.
        name: what the titles call the node.
        file: the second row's pictures are saved under headcount/`file`.
        how: what both samplers are set to.
    """
    shown = Placed("picture", "PreviewImage", {"images": ("decode", "IMAGE")}, title=f"Without {name}")
    saved = Placed(
        *(f"{key}_picture", "SaveImage", {"images": (f"{key}_decode", "IMAGE")}),
        *({"filename_prefix": f"headcount/{file}"}, f"With {name}"),
    )
    sampled = (sampler(f"{key}_sampler", node.key, how), decode(f"{key}_decode", f"{key}_sampler"))
    return (
        Group(
            *(f"Without {name}", GREY, (920, 0)),
            ((300, ()), (290, (sampler("sampler", "model", how), decode("decode", "sampler"))), (380, (shown,))),
        ),
        Group(*(f"With {name}", GREEN, (920, 500)), ((300, (node,)), (290, sampled), (380, (saved,)))),
    )
