"""Builds MODEL, CLIP and VAE of the Emoji models, so that every ComfyUI node treats them as any other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import comfy.model_base
import comfy.sd
from torch import Tensor

from ...core.emoji.autoencoder import LATENT_CHANNELS, EmojiAutoencoder
from .emoji_text import EmojiTextEncoder
from .model import UNET_CONFIG, DemoParts, ShapesModel, build_demo
from .text_encoder import WIDTH
from .weights import PICTURES, empty, fill, part_of_state, statistics_of, tensors_of

EMOJI_UNET_CONFIG: dict[str, Any] = {**UNET_CONFIG, "in_channels": LATENT_CHANNELS, "out_channels": LATENT_CHANNELS}
EMOJI_TRANSFORMER_CONFIG: dict[str, Any] = {
    "patch_size": 1,
    "in_channels": LATENT_CHANNELS,
    "dim": 192,
    "n_layers": 8,
    "n_refiner_layers": 1,
    "n_heads": 3,
    "n_kv_heads": 3,
    "multiple_of": 32,
    "ffn_dim_multiplier": 2.0,
    "qk_norm": True,
    "cap_feat_dim": WIDTH,
    "axes_dims": (16, 24, 24),
    "axes_lens": (64, 64, 64),
    "rope_theta": 256.0,
    "time_scale": 1000.0,
}
"""Of ComfyUI's `NextDiT`, the network of Lumina 2 and Z-Image: one token per latent pixel, joint attention with the text."""
_FOLDER = Path(__file__).resolve().parents[2] / "demo" / "weights"
AUTOENCODER_WEIGHTS = _FOLDER / "emoji_autoencoder.safetensors"
UNET_WEIGHTS = _FOLDER / "emoji_unet.safetensors"
FEW_STEP_WEIGHTS = _FOLDER / "emoji_few_step.safetensors"
TRANSFORMER_WEIGHTS = _FOLDER / "emoji_transformer.safetensors"
_MODEL = "an Emoji model"
EMOJI_UNET = DemoParts(_MODEL, EMOJI_UNET_CONFIG, EmojiTextEncoder, EmojiAutoencoder, LATENT_CHANNELS)
EMOJI_TRANSFORMER = replace(
    EMOJI_UNET, network_config=EMOJI_TRANSFORMER_CONFIG, base=comfy.model_base.Lumina2, multiplier=1.0
)


def load_emoji_autoencoder(path: Path = AUTOENCODER_WEIGHTS) -> tuple[EmojiAutoencoder, dict[str, Tensor]]:
    """The autoencoder that all Emoji models share, and the `mean`, `std` and `rgb_factors` of its latents.

    Raises:
        CountError: the file is missing or holds another model.
    """
    state = tensors_of(path)[0]
    autoencoder = empty(EmojiAutoencoder)
    fill(autoencoder, part_of_state(state, PICTURES, _MODEL), _MODEL)
    return autoencoder.eval(), statistics_of(state, _MODEL)


def load_emoji_unet(path: Path = UNET_WEIGHTS, autoencoder: Path = AUTOENCODER_WEIGHTS) -> ShapesModel:
    """Read the U-Net's file and the autoencoder's.

    Raises:
        CountError: a file is missing or holds another model.
    """
    return build_emoji_unet({**tensors_of(path)[0], **tensors_of(autoencoder)[0]})


def build_emoji_unet(state: Mapping[str, Tensor]) -> ShapesModel:
    """Build the U-Net, which predicts rectified flow on 16x16 latents of 12 channels; see `build_demo`."""
    return build_demo(state, EMOJI_UNET)


def load_emoji_few_step(lora: Path = FEW_STEP_WEIGHTS, unet: Path = UNET_WEIGHTS) -> ShapesModel:
    """The U-Net with the LoRA that makes it a model of 8 steps at cfg 1.

    Raises:
        CountError: a file is missing or holds another model.
    """
    loaded = load_emoji_unet(unet)
    model, _ = comfy.sd.load_lora_for_models(loaded.model, None, tensors_of(lora)[0], 1.0, 0.0)
    return replace(loaded, model=model)


def load_emoji_transformer(path: Path = TRANSFORMER_WEIGHTS, autoencoder: Path = AUTOENCODER_WEIGHTS) -> ShapesModel:
    """Read the transformer's file and the autoencoder's; it predicts what the U-Net does.

    Raises:
        CountError: a file is missing or holds another model.
    """
    return build_demo({**tensors_of(path)[0], **tensors_of(autoencoder)[0]}, EMOJI_TRANSFORMER)
