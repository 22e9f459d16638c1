"""Builds MODEL, CLIP and VAE of the Emoji video model: a small Wan 2.1 of ComfyUI's own class."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import comfy.model_base
import comfy.model_management
import comfy.sd
import comfy.supported_models
import comfy.supported_models_base
import torch
from comfy import sd1_clip
from einops import rearrange
from torch import Tensor

from ...core.emoji.autoencoder import DOWNSCALE, LATENT_CHANNELS, EmojiAutoencoder
from .emoji import AUTOENCODER_WEIGHTS
from .emoji_text import EmojiClipModel
from .model import ShapesLatent, ShapesModel, ShapesVAE
from .text_encoder import MAX_LENGTH, WIDTH
from .weights import DIFFUSION, PICTURES, TEXT, empty, fill, part_of_state, patcher_of, statistics_of, tensors_of

VIDEO_WEIGHTS = AUTOENCODER_WEIGHTS.with_name("emoji_video.safetensors")
EMOJI_VIDEO_CONFIG: dict[str, Any] = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 192,
    "ffn_dim": 768,
    "num_heads": 6,
    "num_layers": 8,
    "patch_size": (1, 1, 1),
    "in_dim": LATENT_CHANNELS,
    "out_dim": LATENT_CHANNELS,
    "text_dim": WIDTH,
    "text_len": MAX_LENGTH,
    "freq_dim": 128,
}
"""Of ComfyUI's `WanModel`: one token per latent pixel of each frame."""
FRAMES = 4  # of the clips that it was trained on
# The frames of a clip show the same objects, so that noise hides them less: sqrt(4 frames), as Esser et al. 2024 (equation 23)
# have it for pictures with more pixels.
SHIFT = 2.0
_MODEL = "an Emoji video model"
_ENCODER = "umt5xxl"  # what reads a Wan model looks for the prompt's tokens under this key


class EmojiVideoTokenizer(sd1_clip.SD1Tokenizer):
    """CLIP's tokenizer in chunks of `MAX_LENGTH` tokens."""

    def __init__(self, embedding_directory=None, tokenizer_data=None):  # noqa: ANN001 - ComfyUI's signature
        short = partial(sd1_clip.SDTokenizer, max_length=MAX_LENGTH, embedding_size=WIDTH)
        super().__init__(embedding_directory, tokenizer_data or {}, tokenizer=short, name=_ENCODER)


class EmojiVideoTextEncoder(sd1_clip.SD1ClipModel):
    """The Emoji text encoder under the name that Wan's has."""

    def __init__(self, device="cpu", dtype=None, model_options=None):  # noqa: ANN001 - ComfyUI's signature
        super().__init__(device, dtype, model_options or {}, clip_model=EmojiClipModel, name=_ENCODER)


class FrameAutoencoder(EmojiAutoencoder):
    """`EmojiAutoencoder` on videos, each frame by itself; it has the same weights."""

    def encode(self, pixels: Tensor) -> Tensor:
        """(B, 3, F, 8h, 8w) in -1..1 to (B, 12, F, h, w)."""
        latent = super().encode(rearrange(pixels, "b c f h w -> (b f) c h w"))
        return rearrange(latent, "(b f) c h w -> b c f h w", b=len(pixels))

    def decode(self, latent: Tensor) -> Tensor:
        """(B, 12, F, h, w) to (B, 3, F, 8h, 8w), about -1..1."""
        pixels = super().decode(rearrange(latent, "b c f h w -> (b f) c h w"))
        return rearrange(pixels, "(b f) c h w -> b c f h w", b=len(latent))


def _as_many(frames: int) -> int:
    return frames


class FrameVAE(ShapesVAE):
    """ComfyUI's VAE of videos around `FrameAutoencoder`: as many latent frames as pictures, a batch of pictures one video."""

    downscale_ratio: Any
    upscale_ratio: Any

    def __init__(self, autoencoder: FrameAutoencoder) -> None:
        super().__init__(autoencoder, LATENT_CHANNELS)
        self.latent_dim = 3
        self.downscale_ratio = self.upscale_ratio = (_as_many, DOWNSCALE, DOWNSCALE)
        self.downscale_index_formula = self.upscale_index_formula = (1, DOWNSCALE, DOWNSCALE)
        self.memory_used_encode = lambda shape, dtype: 40 * 4 * shape[2] * shape[3] * shape[4]
        self.memory_used_decode = lambda shape, dtype: 40 * 4 * DOWNSCALE**2 * shape[2] * shape[3] * shape[4]


class VideoLatent(ShapesLatent):
    """`ShapesLatent` with an axis of frames: (B, C, F, h, w)."""

    latent_dimensions = 3

    def __init__(self, mean: Tensor, std: Tensor, rgb_factors: Tensor) -> None:
        super().__init__(mean, std, rgb_factors)
        self.mean, self.std = self.mean.unsqueeze(2), self.std.unsqueeze(2)


class EmojiVideoConfig(comfy.supported_models.WAN21_T2V):
    """ComfyUI's description of the diffusion model: Wan 2.1, smaller."""

    sampling_settings = {"shift": SHIFT}
    supported_inference_dtypes = (torch.float32,)

    def __init__(self, latent_format: VideoLatent) -> None:
        super().__init__({**EMOJI_VIDEO_CONFIG, "dtype": torch.float32})
        self.latent_format = latent_format


def load_emoji_video(path: Path = VIDEO_WEIGHTS, autoencoder: Path = AUTOENCODER_WEIGHTS) -> ShapesModel:
    """Read the video model's file and the autoencoder's.

    Raises:
        CountError: a file is missing or holds another model.
    """
    return build_emoji_video({**tensors_of(path)[0], **tensors_of(autoencoder)[0]})


def build_emoji_video(state: Mapping[str, Tensor]) -> ShapesModel:
    """Build the model, which predicts rectified flow on latents of F x 16 x 16 cells with 12 channels.

    Args:
        state: see `build_demo`.

    Raises:
        CountError: tensors are missing or have other shapes.
    """
    offload = comfy.model_management.unet_offload_device()
    config = EmojiVideoConfig(VideoLatent(**statistics_of(state, _MODEL)))
    diffusion = comfy.model_base.WAN21(config, device=offload)
    fill(diffusion.diffusion_model, part_of_state(state, DIFFUSION, _MODEL), _MODEL)

    target = comfy.supported_models_base.ClipTarget(EmojiVideoTokenizer, EmojiVideoTextEncoder)
    clip = comfy.sd.CLIP(target, model_options={"dtype": torch.float32})
    text = part_of_state(state, TEXT, _MODEL)  # named as the other Emoji models' is
    fill(
        clip.cond_stage_model, {name.replace("clip_l.", f"{_ENCODER}.", 1): part for name, part in text.items()}, _MODEL
    )

    autoencoder = empty(FrameAutoencoder)
    fill(autoencoder, part_of_state(state, PICTURES, _MODEL), _MODEL)
    model = patcher_of(diffusion, comfy.model_management.get_torch_device(), offload)
    return ShapesModel(model, clip, FrameVAE(autoencoder))
