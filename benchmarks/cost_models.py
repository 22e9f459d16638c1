"""Models with random weights at the configuration of the real ones, made of ComfyUI's own classes: cost needs no training."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import comfy.model_patcher
import comfy.sampler_helpers
import comfy.samplers
import comfy.supported_models as supported
import torch
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.families.family import Family
from headcount.bridge.families.table import family_of
from headcount.bridge.prompts.conditionings import CountedConditioning, counted_conditionings
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens
from torch import Tensor, nn

Config = Mapping[str, Any]
_UNET: Config = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "use_spatial_transformer": True,
    "legacy": False,
    "adm_in_channels": None,
}
_SD15: Config = {
    **_UNET,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2, 2],
    "channel_mult": [1, 2, 4, 4],
    "transformer_depth": [1, 1, 1, 1, 1, 1, 0, 0],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1] * 9 + [0] * 3,
    "num_heads": 8,
    "context_dim": 768,
    "use_linear_in_transformer": False,
}
_SDXL: Config = {
    **_UNET,
    "model_channels": 320,
    "num_res_blocks": [2, 2, 2],
    "channel_mult": [1, 2, 4],
    "transformer_depth": [0, 0, 2, 2, 10, 10],
    "transformer_depth_middle": 10,
    "transformer_depth_output": [0, 0, 0, 2, 2, 2, 10, 10, 10],
    "num_head_channels": 64,
    "context_dim": 2048,
    "use_linear_in_transformer": True,
    "num_classes": "sequential",
    "adm_in_channels": 2816,
}
_SD35_MEDIUM: Config = {
    "in_channels": 16,
    "pos_embed_scaling_factor": None,
    "input_size": None,
    "patch_size": 2,
    "depth": 24,
    "adm_in_channels": 2048,
    "pos_embed_max_size": 384,
    "num_patches": 384 * 384,
    "qk_norm": "rms",
    "x_block_self_attn_layers": list(range(13)),
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 1536}},
}
_TINY: Config = {
    **_UNET,
    "model_channels": 32,
    "num_res_blocks": [1, 1],
    "channel_mult": [1, 2],
    "transformer_depth": [1, 1],
    "transformer_depth_middle": 1,
    "transformer_depth_output": [1] * 4,
    "num_head_channels": 16,
    "context_dim": 24,
    "use_linear_in_transformer": False,
}


@dataclass(frozen=True)
class Kind:
    """An architecture at its real size.

    Attributes:
        config: ComfyUI's class of such models.
        size: of its pictures, in pixels.
        channels: of the latent, which has an eighth of the picture's size.
        text: (T, width) of its text context.
        pooled: width of the pooled text; 0 for none.
        lengths: number of tokens per text encoder.
    """

    config: type
    unet: Config
    size: int
    channels: int
    text: tuple[int, int]
    pooled: int = 0
    lengths: Mapping[str, int] | None = None


KINDS = {
    "sd15": Kind(supported.SD15, _SD15, 512, 4, (77, 768)),
    "sdxl": Kind(supported.SDXL, _SDXL, 1024, 4, (77, 2048), 1280, {"l": 77, "g": 77}),
    "sd35m": Kind(supported.SD3, _SD35_MEDIUM, 1024, 16, (154, 4096), 2048, {"l": 77, "g": 77, "t5xxl": 77}),
    "tiny": Kind(supported.SD15, _TINY, 128, 4, (77, 24)),
}
NAMES = ("shapes", *KINDS)


@dataclass(frozen=True)
class CostModel:
    """A loaded model, a sampler's state, and the conditionings of its call.

    Attributes:
        counted: the positive conditioning, of three cats and two dogs.
        negative: processed.
        x: (B, C, h, w), at noise level `sigma`, (B,).
    """

    patcher: comfy.model_patcher.ModelPatcher
    family: Family
    counted: CountedConditioning
    negative: Mapping[str, Any]
    x: Tensor
    sigma: Tensor


def cost_model(name: str, device: torch.device, dtype: torch.dtype, size: int | None = None) -> CostModel:
    """The model of that name on `device`; the "meta" device gives shapes without numbers.

    Args:
        size: of the picture in pixels; None for what the model was made for.
    """
    generator = torch.Generator().manual_seed(0)
    if name == "shapes":
        shapes = load_shapes_model()
        positive, _ = encode_count_prompt(shapes.clip, "three circles and two stars")
        negative = shapes.clip.encode_from_tokens_scheduled(shapes.clip.tokenize(""))
        shape = (1, 8, (size or 128) // 8, (size or 128) // 8)
        return _ready(shapes.model, positive, negative, torch.randn(shape, generator=generator))
    kind = KINDS[name]
    patcher = comfy.model_patcher.ModelPatcher(_loaded(kind, device, dtype, generator), device, device)
    side = (size or kind.size) // 8
    positive, negative = ([_text(kind, generator)] for _ in range(2))
    return _ready(
        patcher, positive, negative, torch.randn(1, kind.channels, side, side, generator=generator).to(device)
    )


def _loaded(kind: Kind, device: torch.device, dtype: torch.dtype, generator: torch.Generator) -> nn.Module:
    config = kind.config(dict(kind.unet))
    config.unet_config = {**kind.unet, "dtype": dtype}
    config.manual_cast_dtype = None
    model = config.get_model({}, device=device).requires_grad_(False).eval()
    if device.type != "meta":
        for name, weight in model.diffusion_model.named_parameters():
            if weight.ndim > 1:
                weight.copy_(torch.randn(weight.shape, generator=generator) / weight[0].numel() ** 0.5)
            else:
                weight.fill_(float(name.endswith("weight")))
        for buffer in model.diffusion_model.buffers():
            buffer.zero_()  # ComfyUI's MMDiT leaves the table of positions to its checkpoint: who knows what is in there
    return model


def _text(kind: Kind, generator: torch.Generator) -> list[Any]:
    length, width = kind.text
    text = torch.randn(1, length, width, generator=generator)
    if "t5xxl" in (kind.lengths or {}):
        text[:, :77, width // 2 :] = 0  # as ComfyUI pads CLIP's features
    lengths = dict(kind.lengths or {"l": length})
    tokens = (ObjectTokens((2,)), ObjectTokens((5,)))
    objects = (CountedObject("cats", 3), CountedObject("dogs", 2))
    counts = Counts("three cats and two dogs", objects, dict.fromkeys(lengths, tokens), lengths)
    options: dict[str, Any] = {CONDITIONING_KEY: counts}
    if kind.pooled:
        options["pooled_output"] = torch.randn(1, kind.pooled, generator=generator)
    return [text, options]


def _ready(patcher: Any, positive: Any, negative: Any, noise: Tensor) -> CostModel:
    inner = patcher.model
    inner.current_patcher = patcher
    conds = {"positive": positive, "negative": negative}
    given = {side: comfy.sampler_helpers.convert_cond(value) for side, value in conds.items()}
    done = comfy.samplers.process_conds(inner, noise, given, noise.device, torch.zeros_like(noise))
    family = family_of(patcher, "the benchmark")
    (counted,) = counted_conditionings(done["positive"], "the benchmark", family)
    level = float(inner.model_sampling.percent_to_sigma(0.3))
    inner.model_sampling.to(noise.device)
    sigma = torch.full((len(noise),), level, device=noise.device)
    return CostModel(patcher, family, counted, done["negative"][0], noise * max(level, 1.0), sigma)
