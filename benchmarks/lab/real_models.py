"""Models with random weights at the configuration of the real ones: what a step or a run costs needs no training."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_patcher
import comfy.supported_models as supported
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from headcount.bridge.demo_models.files import load_shapes_model
from headcount.bridge.prompts.token_positions import encode_count_prompt
from headcount.core.prompts import CONDITIONING_KEY
from torch import Tensor, nn

from .models import (
    MMDIT,
    TINY_UNET,
    UNET,
    WAN,
    Config,
    LoadedModel,
    configured,
    counted_prompt,
    in_the_middle,
    model_of,
    random_text,
)

_PLACES = (2, 5)  # of the nouns' tokens in the prompt
_AUTHORS_SHIFT = 5.0
_SD15: Config = {
    **UNET,
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
    **UNET,
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
    **MMDIT,
    "depth": 24,
    "adm_in_channels": 2048,
    "pos_embed_max_size": 384,
    "num_patches": 384 * 384,
    "x_block_self_attn_layers": list(range(13)),
    "context_embedder_config": {"target": "torch.nn.Linear", "params": {"in_features": 4096, "out_features": 1536}},
}
_FLUX: Config = {
    "image_model": "flux",
    "in_channels": 16,
    "out_channels": 16,
    "vec_in_dim": 768,
    "context_in_dim": 4096,
    "hidden_size": 3072,
    "mlp_ratio": 4.0,
    "num_heads": 24,
    "depth": 19,
    "depth_single_blocks": 38,
    "axes_dim": [16, 56, 56],
    "theta": 10000,
    "patch_size": 2,
    "qkv_bias": True,
    "guidance_embed": True,
    "txt_ids_dims": [],
}
_CHROMA: Config = {
    **{name: value for name, value in _FLUX.items() if name != "guidance_embed"},
    "image_model": "chroma",
    "in_channels": 64,
    "out_channels": 64,
    "in_dim": 64,
    "out_dim": 3072,
    "hidden_dim": 5120,
    "n_layers": 5,
    "vec_in_dim": None,
}
_KLEIN_4B: Config = {
    **_FLUX,
    "image_model": "flux2",
    "in_channels": 128,
    "out_channels": 128,
    "vec_in_dim": None,
    "context_in_dim": 7680,
    "mlp_ratio": 3.0,
    "depth": 5,
    "depth_single_blocks": 20,
    "axes_dim": [32, 32, 32, 32],
    "theta": 2000,
    "patch_size": 1,
    "qkv_bias": False,
    "guidance_embed": False,
    "global_modulation": True,
    "mlp_silu_act": True,
    "ops_bias": False,
    "default_ref_method": "index",
    "ref_index_scale": 10.0,
    "txt_ids_dims": [3],
}
_Z_IMAGE: Config = {
    "image_model": "lumina2",
    "patch_size": 2,
    "in_channels": 16,
    "dim": 3840,
    "cap_feat_dim": 2560,
    "n_layers": 30,
    "qk_norm": True,
    "n_heads": 30,
    "n_kv_heads": 30,
    "axes_dims": [32, 48, 48],
    "axes_lens": [1536, 512, 512],
    "rope_theta": 256.0,
    "ffn_dim_multiplier": 8 / 3,
    "z_image_modulation": True,
    "time_scale": 1000.0,
    "pad_tokens_multiple": 32,
}
_WAN: Config = {
    **WAN,
    "dim": 1536,
    "ffn_dim": 8960,
    "num_heads": 12,
    "num_layers": 30,
    "text_dim": 4096,
    "freq_dim": 256,
}
_TINY_WAN = {**_WAN, "dim": 48, "ffn_dim": 64, "num_heads": 4, "num_layers": 4, "text_dim": 32, "freq_dim": 32}


@dataclass(frozen=True)
class Kind:
    """An architecture at its real size.

    Attributes:
        config: ComfyUI's class of such models.
        size: of its pictures, in pixels.
        channels: of the latent.
        text: (T, width) of its text context.
        pooled: width of the pooled text; 0 for none.
        lengths: number of tokens per text encoder.
        cell: side of a cell of the latent, in pixels.
        calls: of the model in a plain step; 1 where it is sampled at cfg 1.
    """

    config: type
    network: Config
    size: int
    channels: int
    text: tuple[int, int]
    pooled: int = 0
    lengths: Mapping[str, int] | None = None
    cell: int = 8
    calls: int = 2


KINDS = {
    "sd15": Kind(supported.SD15, _SD15, 512, 4, (77, 768)),
    "sdxl": Kind(supported.SDXL, _SDXL, 1024, 4, (77, 2048), 1280, {"l": 77, "g": 77}),
    "sd35m": Kind(supported.SD3, _SD35_MEDIUM, 1024, 16, (154, 4096), 2048, {"l": 77, "g": 77, "t5xxl": 77}),
    "flux": Kind(supported.Flux, _FLUX, 1024, 16, (512, 4096), 768, {"t5xxl": 512}, calls=1),
    "chroma": Kind(supported.Chroma, _CHROMA, 1024, 16, (512, 4096), 0, {"t5xxl": 512}, calls=1),
    "klein4b": Kind(supported.Flux2, _KLEIN_4B, 1024, 128, (512, 7680), 0, {"qwen3_4b": 512}, cell=16, calls=1),
    "zimage": Kind(supported.ZImage, _Z_IMAGE, 1024, 16, (128, 2560), 0, {"qwen3_4b": 128}, calls=1),
    "tiny": Kind(supported.SD15, TINY_UNET, 128, 4, (77, 24)),
}
NAMES = ("shapes", *KINDS)


def cost_model(name: str, device: torch.device, dtype: torch.dtype, size: int | None = None) -> LoadedModel:
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
        return in_the_middle(shapes.model, positive, negative, torch.randn(shape, generator=generator))
    kind = KINDS[name]
    model = _random_model(kind, device, dtype)
    patcher = comfy.model_patcher.ModelPatcher(model, device, device)
    side = (size or kind.size) // kind.cell
    positive, negative = ([_text(kind, generator)] for _ in range(2))
    noise = torch.randn(1, kind.channels, side, side, generator=generator).to(device)
    model = in_the_middle(patcher, positive, negative, noise)
    return model if kind.calls > 1 else replace(model, negative=None)


def _text(kind: Kind, generator: torch.Generator) -> list[Any]:
    lengths = kind.lengths or {"l": kind.text[0]}
    padded = 77 if "g" in lengths and "t5xxl" in lengths else 0
    return random_text(generator, kind.text, counted_prompt(lengths, _PLACES), kind.pooled, padded)


@dataclass(frozen=True)
class Size:
    """What is sampled: frames (None for a picture), height and width in cells of attention, and steps."""

    frames: int | None
    height: int
    width: int
    steps: int


@dataclass(frozen=True)
class SampledKind:
    """An architecture that is sampled.

    Attributes:
        kind: its configuration.
        encoder: name of the text encoder.
        patch: side of a cell of `Size` in the latent.
        size: what the paper, or the model's maker, samples.
        small: what a CPU can sample within minutes.
        shift: of a rectified flow; None for a model that is none.
    """

    kind: Kind
    encoder: str
    patch: int
    size: Size
    small: Size
    shift: float | None = None


_WAN_KIND = Kind(supported.WAN21_T2V, _WAN, 480, 16, (512, 4096))
_WAN_SIZE, _SD15_SIZE = Size(21, 30, 52, 50), Size(None, 64, 64, 50)
SAMPLED_KINDS = {
    "wan": SampledKind(_WAN_KIND, "umt5xxl", 2, _WAN_SIZE, Size(2, 6, 10, 10), _AUTHORS_SHIFT),
    "sd15": SampledKind(KINDS["sd15"], "l", 1, _SD15_SIZE, Size(None, 32, 32, 10)),
    "tiny_wan": SampledKind(
        replace(_WAN_KIND, network=_TINY_WAN, text=(8, 32)), "umt5xxl", 2, _WAN_SIZE, Size(2, 6, 8, 5), _AUTHORS_SHIFT
    ),
    "tiny": SampledKind(KINDS["tiny"], "l", 1, _SD15_SIZE, Size(None, 16, 16, 5)),
}


@dataclass(frozen=True)
class Sampled:
    """A loaded model and what it is to sample.

    Attributes:
        positive: makes a prompt that asks for some of each noun.
        latent: empty.
    """

    patcher: comfy.model_patcher.ModelPatcher
    positive: Callable[[tuple[int, ...]], list[Any]]
    negative: list[Any]
    latent: Tensor
    steps: int

    @property
    def network(self) -> nn.Module:
        """The diffusion model."""
        network: nn.Module = self.patcher.model.diffusion_model
        return network


def with_blocks(kind: SampledKind, blocks: int) -> SampledKind:
    """A video transformer of that many blocks: a run's memory does not depend on how many there are."""
    return replace(kind, kind=replace(kind.kind, network={**kind.kind.network, "num_layers": blocks}))


def sampled(
    kind: SampledKind, size: Size, device: torch.device, dtype: torch.dtype, shift: float | None = None
) -> Sampled:
    """A model of that kind.

    Args:
        shift: of a rectified flow; None for the authors'.
    """
    generator = torch.Generator().manual_seed(0)
    patcher = comfy.model_patcher.ModelPatcher(_random_model(kind.kind, device, dtype), device, device)
    if kind.shift is not None:
        (patcher,) = ModelSamplingSD3().patch(patcher, shift or kind.shift)
    texts = [torch.randn(1, *kind.kind.text, generator=generator) for _ in range(2)]

    def positive(asked: tuple[int, ...]) -> list[Any]:
        return [[texts[0], {CONDITIONING_KEY: counted_prompt({kind.encoder: kind.kind.text[0]}, _PLACES, asked)}]]

    frames = () if size.frames is None else (size.frames,)
    latent = torch.zeros(1, kind.kind.channels, *frames, size.height * kind.patch, size.width * kind.patch)
    return Sampled(patcher, positive, [[texts[1], {}]], latent, size.steps)


def _random_model(kind: Kind, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Weights that keep activations at about 1, drawn on the device itself; no numbers at all on "meta"."""
    model = model_of(configured(kind.config, kind.network, dtype), device)
    generator = None if device.type == "meta" else torch.Generator(device).manual_seed(0)
    for name, weight in model.diffusion_model.named_parameters():
        if weight.ndim > 1:
            limit = (3 / weight[0].numel()) ** 0.5
            weight.uniform_(-limit, limit, generator=generator)
        else:
            weight.fill_(float(name.endswith("weight")))
    for buffer in model.diffusion_model.buffers():
        buffer.zero_()  # ComfyUI's MMDiT leaves the table of positions to its checkpoint
    return model
