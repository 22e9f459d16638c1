"""Small models with random weights, the same on every device and in every dtype, made of ComfyUI's own classes."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.sampler_helpers
import comfy.samplers
import comfy.supported_models as supported
import torch
from headcount.bridge.families.table import family_of
from headcount.bridge.prompts.conditionings import counted_conditionings
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens
from torch import Tensor, nn

from ..cost_models import CostModel

FP8 = torch.float8_e4m3fn
_WIDTH, _POOLED = 32, 8
_UNET: dict[str, Any] = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1] * 4,
    "num_head_channels": 16,
    "use_spatial_transformer": True,
    "context_dim": _WIDTH,
    "use_linear_in_transformer": False,
    "adm_in_channels": None,
    "legacy": False,
}
_MMDIT: dict[str, Any] = {
    "in_channels": 16,
    "pos_embed_scaling_factor": None,
    "input_size": None,
    "patch_size": 2,
    "depth": 3,
    "mlp_ratio": 2.0,
    "qk_norm": "rms",
    "adm_in_channels": _POOLED,
    "pos_embed_max_size": 32,
    "num_patches": 32 * 32,
    "x_block_self_attn_layers": [0],
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": _WIDTH, "out_features": 192}},
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


def small_model(name: str, form: Form, side: int = 16) -> CostModel:
    """A model of `SMALL`, loaded, with a state of `side` x `side` in the middle of its sampling."""
    kind = SMALL[name]
    start = form.device if form.resident is None else torch.device("cpu")
    config = kind.config(dict(kind.unet))
    config.unet_config = {**kind.unet, "dtype": form.weights}
    config.manual_cast_dtype = form.compute
    base = config.get_model({}, device=start).requires_grad_(False).eval()
    base.diffusion_model.load_state_dict(_values(base.diffusion_model, form))
    patcher = comfy.model_patcher.ModelPatcher(base, form.device, start)
    if form.resident is not None:
        patcher.load(form.device, lowvram_model_memory=form.resident)
    return _with_state(patcher, kind, form, side)


def _values(network: nn.Module, form: Form) -> dict[str, Tensor]:
    """Numbers for a network's weights and buffers."""
    dtype = form.rounded or form.weights
    return {name: _random(name, like).to(dtype).float() for name, like in network.state_dict().items()}


def _random(name: str, like: Tensor) -> Tensor:
    if like.ndim < 2:
        return torch.full(like.shape, float(name.endswith("weight")))
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    return torch.randn(like.shape, generator=generator) / like[0].numel() ** 0.5


def _with_state(patcher: Any, kind: Small, form: Form, side: int) -> CostModel:
    inner = patcher.model
    inner.current_patcher = patcher
    inner.model_sampling.to(form.device)
    generator = torch.Generator().manual_seed(0)
    noise = torch.randn(1, kind.channels, side, side, generator=generator).to(form.device, form.latent)
    conds = {"positive": _text(kind, generator), "negative": _text(kind, generator)}
    given = {side: comfy.sampler_helpers.convert_cond([value]) for side, value in conds.items()}
    done = comfy.samplers.process_conds(inner, noise, given, form.device, torch.zeros_like(noise))
    family = family_of(patcher, "the benchmark")
    (counted,) = counted_conditionings(done["positive"], "the benchmark", family)
    level = torch.tensor(float(inner.model_sampling.percent_to_sigma(0.3)))  # in float32, whatever the state is in
    sigma = level.to(form.device, form.latent).expand(1)
    return CostModel(patcher, family, counted, done["negative"][0], noise * max(float(level), 1.0), sigma)


def _text(kind: Small, generator: torch.Generator) -> list[Any]:
    text = torch.randn(1, 13, _WIDTH, generator=generator)
    if kind.pooled:
        text[:, :6, _WIDTH // 2 :] = 0  # as ComfyUI pads CLIP's features
    tokens = (ObjectTokens((2,)), ObjectTokens((4,)))
    objects = (CountedObject("cats", 3), CountedObject("dogs", 2))
    counts = Counts("three cats and two dogs", objects, dict.fromkeys(kind.lengths, tokens), dict(kind.lengths))
    options: dict[str, Any] = {CONDITIONING_KEY: counts}
    if kind.pooled:
        options["pooled_output"] = torch.randn(1, _POOLED, generator=generator)
    return [text, options]
