"""Inputs that the nodes of Count Search share."""

from __future__ import annotations

from typing import Any

from comfy_api.latest import io

from ..bridge.seed_search.search import Search
from ..bridge.seed_search.settings import LOOKS, SearchSettings
from ._sampler_inputs import SAME, sampling_inputs, seed_input

_DEFAULT = SearchSettings(seed=0, steps=20, cfg=8.0, sampler="euler", scheduler="normal")


def sampler_inputs() -> list[io.Input]:
    """What is sampled: the sampler's own inputs, and the VAE."""
    default = _DEFAULT
    return [
        io.Model.Input("model", tooltip="The model that makes the image, with its LoRAs and patches, ISAC too."),
        io.Conditioning.Input("positive", tooltip="From Count Prompt: it says what is counted."),
        io.Conditioning.Input("negative", tooltip=SAME),
        io.Latent.Input(
            "latent_image",
            tooltip="The empty latent, or an image's or video's. As many of the best seeds are kept as it has images.",
        ),
        io.Vae.Input(
            "vae", tooltip="Decodes the test previews. A fast preview VAE, such as taesd of Load VAE, saves time."
        ),
        seed_input(
            "The first seed that is tried; then come the next ones. Connect the seed output to the sampler's seed."
        ),
        *sampling_inputs(default),
    ]


def preview_inputs() -> list[io.Input]:
    """How many seeds are previewed, and how."""
    default = _DEFAULT
    return [
        io.Int.Input(
            "seeds",
            default=default.seeds,
            min=1,
            max=1024,
            tooltip="Maximum number of seeds to try. More find better ones and cost more.",
        ),
        io.Float.Input(
            "decide_at",
            default=default.decide_at,
            min=0.05,
            max=1.0,
            step=0.05,
            tooltip="How far each seed is tried, as a share of the steps. Higher is more reliable, but slower.",
        ),
        io.Combo.Input(
            "look",
            options=list(LOOKS),
            default=default.look,
            tooltip=(
                "draft: a quick full run with a few big steps. own steps: the sampler's first steps, and the image that the "
                "model expects there. auto: draft up to 35 % of the steps; own steps beyond, with ISAC and with samplers "
                "that add noise."
            ),
            advanced=True,
        ),
        io.Int.Input(
            "at_once",
            display_name="seeds per batch",
            default=default.at_once,
            min=1,
            max=64,
            tooltip="Seeds per batch, where memory allows. 1 stops soonest; more keep a large card busy.",
            advanced=True,
        ),
        io.Int.Input(
            "frames",
            default=default.frames,
            min=1,
            max=1024,
            tooltip="For a video: how many frames are counted, evenly spread; their mean is used. Images have one.",
            advanced=True,
        ),
    ]


def search_of(
    *, model: Any, positive: Any, negative: Any, latent_image: Any, vae: Any, sampler_name: str, counts: Any = None,
    **settings: Any,
) -> Search[SearchSettings]:  # fmt: skip
    """The search that the inputs of a node describe; `settings` are fields of SearchSettings."""
    return Search(
        model=model,
        positive=positive,
        negative=negative,
        latent=latent_image,
        vae=vae,
        settings=SearchSettings(sampler=sampler_name, **settings),
        counts=counts,
    )
