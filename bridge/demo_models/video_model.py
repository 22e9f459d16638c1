"""Builds MODEL, CLIP and VAE of the Shapes video model from one state dict: a small Wan 2.1 of ComfyUI's own class."""

from __future__ import annotations

from collections.abc import Mapping

import comfy.model_base
import comfy.model_management
import comfy.sd
import comfy.supported_models
import comfy.supported_models_base
import torch
from torch import Tensor

from .model import ShapesLatent, ShapesModel
from .video_size import VideoSize, size_of
from .video_text import ShapesVideoTextEncoder, ShapesVideoTokenizer
from .video_vae import FrameAutoencoder, ShapesVideoVAE
from .weights import (
    DIFFUSION,
    PICTURES,
    TEXT,
    empty,
    fill,
    part_of_state,
    patcher_of,
    statistics_of,
)

MODEL = "a Shapes video model"
# The frames of a clip show the same shapes, so that noise hides them less: sqrt(8 frames), as Esser et al. 2024 (equation 23)
# have it for pictures with more pixels.
SHIFT = 3.0


class ShapesVideoLatent(ShapesLatent):
    """`ShapesLatent` with an axis of frames: (B, LATENT_CHANNELS, F, h, w)."""

    latent_dimensions = 3

    def __init__(self, mean: Tensor, std: Tensor, rgb_factors: Tensor) -> None:
        super().__init__(mean, std, rgb_factors)
        self.mean, self.std = self.mean.unsqueeze(2), self.std.unsqueeze(2)


class ShapesVideoConfig(comfy.supported_models.WAN21_T2V):
    """ComfyUI's description of the diffusion model: Wan 2.1, smaller."""

    sampling_settings = {"shift": SHIFT}
    supported_inference_dtypes = (torch.float32,)

    def __init__(self, size: VideoSize, latent_format: ShapesVideoLatent) -> None:
        super().__init__({**size.config(), "dtype": torch.float32})
        self.latent_format = latent_format


def build_shapes_video_model(state: Mapping[str, Tensor]) -> ShapesModel:
    """Build the model from the weights that `demo/train_shapes_video.py` writes, of whatever size it was trained in.

    Args:
        state: tensors named `diffusion_model.*`, `text_encoder.*`, `first_stage_model.*` and `latent.*`.

    Raises:
        CountError: tensors are missing or have other shapes.
    """
    latent = ShapesVideoLatent(**statistics_of(state, MODEL))
    weights = part_of_state(state, DIFFUSION, MODEL)
    offload = comfy.model_management.unet_offload_device()
    diffusion = comfy.model_base.WAN21(ShapesVideoConfig(size_of(weights, MODEL), latent), device=offload)
    fill(diffusion.diffusion_model, weights, MODEL)

    target = comfy.supported_models_base.ClipTarget(ShapesVideoTokenizer, ShapesVideoTextEncoder)
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    fill(clip.cond_stage_model, part_of_state(state, TEXT, MODEL), MODEL)

    autoencoder = empty(FrameAutoencoder)
    fill(autoencoder, part_of_state(state, PICTURES, MODEL), MODEL)
    model = patcher_of(diffusion, comfy.model_management.get_torch_device(), offload)
    return ShapesModel(model, clip, ShapesVideoVAE(autoencoder))
