"""Builds MODEL, CLIP and VAE of the Shapes model from one state dict, so that every ComfyUI node treats them as any other."""

from __future__ import annotations

from collections.abc import Callable, Mapping
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
from comfy import sd1_clip
from torch import Tensor

from ...core.emoji.autoencoder import EmojiAutoencoder
from ...core.shapes.autoencoder import DOWNSCALE, LATENT_CHANNELS, ShapesAutoencoder
from .text_encoder import WIDTH, ShapesTextEncoder, ShapesTokenizer
from .weights import DIFFUSION, PICTURES, TEXT, empty, fill, part_of_state, patcher_of, statistics_of

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


class ShapesLatent(comfy.latent_formats.LatentFormat):
    """Scales each latent channel to zero mean and unit variance over the training scenes.

    Args:
        mean, std: (C,) statistics of the autoencoder's latents.
        rgb_factors: (C + 1, 3) linear map from a scaled latent to RGB in -1..1, last row the constant.
    """

    def __init__(self, mean: Tensor, std: Tensor, rgb_factors: Tensor) -> None:
        self.latent_channels = len(mean)
        self.mean = mean.float().view(1, -1, 1, 1)
        self.std = std.float().view(1, -1, 1, 1)
        self.latent_rgb_factors = rgb_factors[:-1].tolist()
        self.latent_rgb_factors_bias = rgb_factors[-1].tolist()

    def process_in(self, latent: Tensor) -> Tensor:
        return (latent - self.mean.to(latent)) / self.std.to(latent)

    def process_out(self, latent: Tensor) -> Tensor:
        return latent * self.std.to(latent) + self.mean.to(latent)


class ShapesConfig(comfy.supported_models_base.BASE):
    """ComfyUI's description of the diffusion model: it predicts rectified flow on 16x16 latents.

    Args:
        unet_config: of the network.
        multiplier: what noise levels are multiplied by before the network gets them.
    """

    unet_extra_config: dict[str, Any] = {}  # the base class's would overwrite the number of heads
    memory_usage_factor = 0.5
    own_side = 128  # pixels, see `sampling.own_size`
    supported_inference_dtypes = (torch.float32,)

    def __init__(
        self, latent_format: ShapesLatent, unet_config: dict[str, Any] = UNET_CONFIG, multiplier: float = 1000.0
    ) -> None:
        super().__init__(dict(unet_config))
        self.latent_format = latent_format
        self.sampling_settings = {"shift": 1.0, "multiplier": multiplier}
        self.unet_config["dtype"] = torch.float32


class ShapesVAE(comfy.sd.VAE):
    """ComfyUI's VAE around `ShapesAutoencoder`, or another one that goes down by `DOWNSCALE` to `channels`."""

    def __init__(self, autoencoder: ShapesAutoencoder | EmojiAutoencoder, channels: int = LATENT_CHANNELS) -> None:
        # ComfyUI picks an architecture by its keys; this one sets everything up and brings no weights of its own.
        super().__init__(sd={"pixel_space_vae": torch.tensor(1.0)}, dtype=torch.float32)
        self.first_stage_model = autoencoder.eval()
        self.downscale_ratio = self.upscale_ratio = DOWNSCALE
        self.latent_channels = channels
        self.memory_used_encode = lambda shape, dtype: 40 * 4 * shape[2] * shape[3]
        self.memory_used_decode = lambda shape, dtype: 40 * 4 * DOWNSCALE**2 * shape[2] * shape[3]
        offload = comfy.model_management.vae_offload_device()
        self.patcher: Any = type(self.patcher)(autoencoder, load_device=self.device, offload_device=offload)
        self.size = comfy.model_management.module_size(autoencoder)


@dataclass(frozen=True)
class ShapesModel:
    """The three objects that a checkpoint loader gives."""

    model: comfy.model_patcher.ModelPatcher
    clip: comfy.sd.CLIP
    vae: comfy.sd.VAE


@dataclass(frozen=True)
class DemoParts:
    """What one demo model of pictures is made of.

    Attributes:
        name: with its article, for errors.
        network_config: of the network that `base` builds.
        text_encoder: what its CLIP holds.
        autoencoder: without arguments, a module with `encode` and `decode`.
        channels: of its latents.
        base: ComfyUI's class around the network, a U-Net by default.
        multiplier: see `ShapesConfig`.
    """

    name: str
    network_config: dict[str, Any]
    text_encoder: type[sd1_clip.SD1ClipModel]
    autoencoder: Callable[[], ShapesAutoencoder | EmojiAutoencoder]
    channels: int
    base: type[comfy.model_base.BaseModel] = comfy.model_base.BaseModel
    multiplier: float = 1000.0


SHAPES = DemoParts("a Shapes model", UNET_CONFIG, ShapesTextEncoder, ShapesAutoencoder, LATENT_CHANNELS)


def build_shapes_model(state: dict[str, Tensor]) -> ShapesModel:
    """Build the model from the weights of `demo/weights/shapes.safetensors`; see `build_demo`."""
    return build_demo(state, SHAPES)


def build_demo(state: Mapping[str, Tensor], demo: DemoParts) -> ShapesModel:
    """Build a demo model of pictures from its weights.

    Args:
        state: tensors named `diffusion_model.*`, `text_encoder.*`, `first_stage_model.*` and `latent.*`.

    Raises:
        CountError: tensors are missing or have other shapes.
    """
    config = ShapesConfig(ShapesLatent(**statistics_of(state, demo.name)), demo.network_config, demo.multiplier)
    device = comfy.model_management.get_torch_device()
    offload = comfy.model_management.unet_offload_device()
    diffusion = demo.base(config, comfy.model_base.ModelType.FLOW, device=offload)
    fill(diffusion.diffusion_model, part_of_state(state, DIFFUSION, demo.name), demo.name)

    target = comfy.supported_models_base.ClipTarget(ShapesTokenizer, demo.text_encoder)
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    fill(clip.cond_stage_model, part_of_state(state, TEXT, demo.name), demo.name)

    autoencoder = empty(demo.autoencoder)
    fill(autoencoder, part_of_state(state, PICTURES, demo.name), demo.name)
    vae = ShapesVAE(autoencoder, demo.channels)
    return ShapesModel(patcher_of(diffusion, device, offload), clip, vae)
