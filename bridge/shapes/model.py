"""Builds MODEL, CLIP and VAE of the Shapes model from one state dict, so that every ComfyUI node treats them as any other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import comfy.latent_formats
import comfy.model_base
import comfy.model_management
import comfy.model_patcher
import comfy.ops
import comfy.sd
import comfy.supported_models_base
import torch
from torch import Tensor

from ...core.errors import CountError
from ...core.shapes.autoencoder import DOWNSCALE, LATENT_CHANNELS, ShapesAutoencoder
from .text_encoder import WIDTH, ShapesTextEncoder, ShapesTokenizer

UNET_CONFIG: dict[str, Any] = {
    "image_size": 16,
    "in_channels": LATENT_CHANNELS,
    "out_channels": LATENT_CHANNELS,
    "model_channels": 64,
    "num_res_blocks": [2, 2],
    "channel_mult": [1, 2],
    "num_head_channels": 32,
    "use_spatial_transformer": True,
    "transformer_depth": [1, 1, 1, 1],
    "transformer_depth_output": [1, 1, 1, 1, 1, 1],
    "transformer_depth_middle": 1,
    "context_dim": WIDTH,
    "use_linear_in_transformer": True,
    "legacy": False,
    "adm_in_channels": None,
    "use_temporal_attention": False,
}
_PREFIXES = {"diffusion": "diffusion_model.", "text": "text_encoder.", "pictures": "first_stage_model."}


class ShapesLatent(comfy.latent_formats.LatentFormat):
    """Scales each latent channel to zero mean and unit variance over the training scenes.

    Args:
        mean, std: (LATENT_CHANNELS,) statistics of the autoencoder's latents.
        rgb_factors: (LATENT_CHANNELS + 1, 3) linear map from a scaled latent to RGB in -1..1, last row the constant.
    """

    latent_channels = LATENT_CHANNELS

    def __init__(self, mean: Tensor, std: Tensor, rgb_factors: Tensor) -> None:
        self.mean = mean.float().view(1, -1, 1, 1)
        self.std = std.float().view(1, -1, 1, 1)
        self.latent_rgb_factors = rgb_factors[:-1].tolist()
        self.latent_rgb_factors_bias = rgb_factors[-1].tolist()

    def process_in(self, latent: Tensor) -> Tensor:
        return (latent - self.mean.to(latent)) / self.std.to(latent)

    def process_out(self, latent: Tensor) -> Tensor:
        return latent * self.std.to(latent) + self.mean.to(latent)


class ShapesConfig(comfy.supported_models_base.BASE):
    """ComfyUI's description of the diffusion model: a U-Net that predicts rectified flow on 16x16 latents."""

    unet_config = UNET_CONFIG
    unet_extra_config: dict[str, Any] = {}  # the base class's would overwrite the number of heads
    sampling_settings = {"shift": 1.0}
    memory_usage_factor = 0.5
    supported_inference_dtypes = (torch.float32,)

    def __init__(self, latent_format: ShapesLatent) -> None:
        super().__init__(dict(UNET_CONFIG))
        self.latent_format = latent_format
        self.unet_config["dtype"] = torch.float32


class ShapesVAE(comfy.sd.VAE):
    """ComfyUI's VAE around `ShapesAutoencoder`."""

    def __init__(self, autoencoder: ShapesAutoencoder) -> None:
        # ComfyUI picks an architecture by its keys; this one sets everything up and brings no weights of its own.
        super().__init__(sd={"pixel_space_vae": torch.tensor(1.0)}, dtype=torch.float32)
        self.first_stage_model = autoencoder.eval()
        self.downscale_ratio = self.upscale_ratio = DOWNSCALE
        self.latent_channels = LATENT_CHANNELS
        self.memory_used_encode = lambda shape, dtype: 40 * 4 * shape[2] * shape[3]
        self.memory_used_decode = lambda shape, dtype: 40 * 4 * DOWNSCALE**2 * shape[2] * shape[3]
        offload = comfy.model_management.vae_offload_device()
        self.patcher = type(self.patcher)(autoencoder, load_device=self.device, offload_device=offload)
        self.size = comfy.model_management.module_size(autoencoder)


@dataclass(frozen=True)
class ShapesModel:
    """The three objects that a checkpoint loader gives."""

    model: comfy.model_patcher.ModelPatcher
    clip: comfy.sd.CLIP
    vae: comfy.sd.VAE


def _part(state: dict[str, Tensor], part: str) -> dict[str, Tensor]:
    prefix = _PREFIXES[part]
    found = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    if not found:
        raise CountError(f"this is not a Shapes model: the file has no weights under '{prefix}'")
    return {key: value.float() if value.is_floating_point() else value for key, value in found.items()}


def _load(module: torch.nn.Module, weights: dict[str, Tensor]) -> None:
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise CountError(f"this is not a Shapes model that this version of the pack can read: {error}") from error


def _patcher(model: torch.nn.Module, device: torch.device, offload: torch.device) -> comfy.model_patcher.ModelPatcher:
    # Newer ComfyUI picks the patcher that suits its memory manager under this name.
    kind = getattr(comfy.model_patcher, "CoreModelPatcher", comfy.model_patcher.ModelPatcher)
    return kind(model, load_device=device, offload_device=offload)


def build_shapes_model(state: dict[str, Tensor]) -> ShapesModel:
    """Build the model from the weights of `demo/weights/shapes.safetensors`.

    Args:
        state: tensors named `diffusion_model.*`, `text_encoder.*`, `first_stage_model.*` and `latent.*`.

    Raises:
        CountError: tensors are missing or have other shapes.
    """
    statistics = {key: state.get(f"latent.{key}") for key in ("mean", "std", "rgb_factors")}
    if any(value is None for value in statistics.values()):
        raise CountError("this is not a Shapes model: the file has no latent statistics")
    device = comfy.model_management.get_torch_device()
    offload = comfy.model_management.unet_offload_device()

    config = ShapesConfig(ShapesLatent(**statistics))
    diffusion = comfy.model_base.BaseModel(config, comfy.model_base.ModelType.FLOW, device=offload)
    _load(diffusion.diffusion_model, _part(state, "diffusion"))

    target = comfy.supported_models_base.ClipTarget(ShapesTokenizer, ShapesTextEncoder)
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    _load(clip.cond_stage_model, _part(state, "text"))

    with torch.device("meta"):  # no start weights: they would take numbers from the global generator
        autoencoder = ShapesAutoencoder()
    autoencoder.to_empty(device="cpu")
    _load(autoencoder, _part(state, "pictures"))
    return ShapesModel(_patcher(diffusion, device, offload), clip, ShapesVAE(autoencoder))
