"""The latent that a sampler starts from, as the nodes see it that try seeds for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import comfy.sample
from torch import Tensor

from ...core.counting import count_words
from ...core.errors import CountError
from .whole_image import refuse_no_pictures

_BATCH_AND_CHANNELS = 2  # dimensions of a latent before those of its picture or video


def start_samples(model: Any, latent: Mapping[str, Any], node: str) -> Tensor:
    """(B, C, ...) the samples of a LATENT in the form in which ComfyUI's samplers give them to the model.

    Args:
        node: name of the node that errors speak of.

    Raises:
        CountError: the latent has no picture, is a video where the model makes pictures, or has another number of channels than
            the model's latents.
    """
    refuse_no_pictures(latent["samples"], node)
    samples: Tensor = comfy.sample.fix_empty_latent_channels(
        model, latent["samples"], latent.get("downscale_ratio_spacial"), latent.get("downscale_ratio_temporal")
    )
    form = model.get_model_object("latent_format")
    if samples.shape[1] != form.latent_channels:
        raise CountError(
            f"{node}: this latent has {samples.shape[1]} channels, and those of the model have {form.latent_channels}: it "
            "comes from the VAE of another model. Encode the image with this model's VAE, or connect an empty latent"
        )
    dimensions = form.latent_dimensions
    if samples.ndim > dimensions + _BATCH_AND_CHANNELS and dimensions == 2:
        raise CountError(
            f"{node}: this latent is a video of {count_words(samples.shape[2], 'latent frames')}, and the model makes "
            "images. Connect an empty latent of images, such as Empty Latent Image, or a video model"
        )
    return samples
