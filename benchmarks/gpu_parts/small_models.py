"""Small models with random weights, the same on every device and in every dtype, made of ComfyUI's own classes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.supported_models as supported
import torch
from torch import Tensor, nn

from ..lab.models import MMDIT, TINY_UNET, LoadedModel, configured, counted_prompt, in_the_middle, model_of, random_text

FP8 = torch.float8_e4m3fn
_TEXT, _POOLED = (13, 32), 8
_UNET = {**TINY_UNET, "context_dim": _TEXT[1]}
_MMDIT: dict[str, Any] = {
    **MMDIT,
    "depth": 3,
    "mlp_ratio": 2.0,
    "adm_in_channels": _POOLED,
    "pos_embed_max_size": 32,
    "num_patches": 32 * 32,
    "x_block_self_attn_layers": [0],
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": _TEXT[1], "out_features": 192}},
}


@dataclass(frozen=True)
class Small:
    """An architecture in small: ComfyUI's class, its configuration, and the lengths of its encoders' prompts."""

    config: type
    unet: dict[str, Any]
    lengths: dict[str, int]
    channels: int
    pooled: bool = False


SMALL = {
    "SD 1.5": Small(supported.SD15, _UNET, {"l": 13}, 4),
    "SD 3.5": Small(supported.SD3, _MMDIT, {"l": 6, "g": 6, "t5xxl": 7}, 16, pooled=True),
}


@dataclass(frozen=True)
class Form:
    """How a model is held.

    Attributes:
        device: it computes there.
        weights: dtype that they are kept in.
        compute: dtype that they are cast to; None for `weights`.
        latent: dtype of the sampler's state.
        rounded: weights have passed through this dtype before; None for `weights`. So models of several dtypes have
            the same weights.
        resident: bytes of weights on `device`, the others stay on the CPU; None for all.
    """

    device: torch.device
    weights: torch.dtype = torch.float32
    compute: torch.dtype | None = None
    latent: torch.dtype = torch.float32
    rounded: torch.dtype | None = None
    resident: int | None = None


def small_model(name: str, form: Form, side: int = 16) -> LoadedModel:
    """A model of `SMALL`, loaded, with a state of `side` x `side` in the middle of its sampling."""
    kind = SMALL[name]
    start = form.device if form.resident is None else torch.device("cpu")
    base = model_of(configured(kind.config, kind.unet, form.weights, form.compute), start)
    base.diffusion_model.load_state_dict(_values(base.diffusion_model, form))
    patcher = comfy.model_patcher.ModelPatcher(base, form.device, start)
    if form.resident is not None:
        patcher.load(form.device, lowvram_model_memory=form.resident)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, kind.channels, side, side, generator=generator).to(form.device, form.latent)
    positive, negative = ([_text(kind, generator)] for _ in range(2))
    return in_the_middle(patcher, positive, negative, noise)


def _values(network: nn.Module, form: Form) -> dict[str, Tensor]:
    """Numbers for a network's weights and buffers."""
    dtype = form.rounded or form.weights
    return {name: _random(name, like).to(dtype).float() for name, like in network.state_dict().items()}


def _random(name: str, like: Tensor) -> Tensor:
    if like.ndim < 2:
        return torch.full(like.shape, float(name.endswith("weight")))
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(like.shape, generator=generator) / like[0].numel() ** 0.5


def _text(kind: Small, generator: torch.Generator) -> list[Any]:
    pooled, padded = (_POOLED, kind.lengths["l"]) if kind.pooled else (0, 0)
    return random_text(generator, _TEXT, counted_prompt(kind.lengths, (2, 4)), pooled, padded)
