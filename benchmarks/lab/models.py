"""Models with random weights, made of ComfyUI's own classes, at any size: what tests and benchmarks build them from."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.model_base
import comfy.model_patcher
import comfy.sampler_helpers
import comfy.samplers
import torch
from headcount.bridge.families.family import Family
from headcount.bridge.families.table import family_of
from headcount.bridge.prompts.conditionings import CountedConditioning, counted_conditionings
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens
from torch import Tensor

Config = Mapping[str, Any]
NOUNS = ("cats", "dogs")  # of the prompts

# Configurations that models of one architecture share, whatever their size.
UNET: Config = {
    "image_size": 32,
    "in_channels": 4,
    "out_channels": 4,
    "use_spatial_transformer": True,
    "legacy": False,
    "adm_in_channels": None,
}
MMDIT: Config = {
    "in_channels": 16,
    "pos_embed_scaling_factor": None,
    "input_size": None,
    "patch_size": 2,
    "qk_norm": "rms",
}
WAN: Config = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "in_dim": 16,
    "out_dim": 16,
    "patch_size": (1, 2, 2),
}
TINY_UNET: Config = {
    **UNET,
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


def configured(config: type, unet: Config, dtype: torch.dtype = torch.float32, cast: torch.dtype | None = None) -> Any:
    """ComfyUI's configuration of a model.

    Args:
        config: ComfyUI's class of such models.
        unet: what its loader would read from a checkpoint.
        dtype: of the weights.
        cast: dtype that they are cast to where they are used; None for no cast.
    """
    made = config(dict(unet))
    made.unet_config = {**unet, "dtype": dtype}
    made.manual_cast_dtype = cast
    return made


def model_of(
    config: Any, device: torch.device, model_type: comfy.model_base.ModelType | None = None
) -> comfy.model_base.BaseModel:
    """A model of a configuration, its weights not set; `model_type` is how it predicts, None for what ComfyUI says."""
    if model_type is None:
        made = config.get_model({}, device=device)
    else:
        made = comfy.model_base.BaseModel(config, model_type=model_type, device=device)
    return made.requires_grad_(False).eval()


def counted_prompt(lengths: Mapping[str, int], places: Sequence[int], asked: Sequence[int] = (3, 2)) -> Counts:
    """What Count Prompt says of a prompt for `NOUNS`.

    Args:
        lengths: text encoder -> number of its tokens.
        places: token of each noun, in every encoder.
        asked: how many of each.
    """
    objects = tuple(CountedObject(noun, number) for noun, number in zip(NOUNS, asked, strict=True))
    tokens = tuple(ObjectTokens((place,)) for place in places)
    return Counts(" and ".join(NOUNS), objects, dict.fromkeys(lengths, tokens), dict(lengths))


def random_text(
    generator: torch.Generator, shape: tuple[int, int], counts: Counts, pooled: int = 0, padded: int = 0
) -> list[Any]:
    """A conditioning of random numbers that carries counts.

    Args:
        shape: (T, width) of the text.
        pooled: width of the pooled text; 0 for none.
        padded: tokens whose upper half is 0, as ComfyUI pads CLIP's features in front of T5's.
    """
    text = torch.randn(1, *shape, generator=generator)
    text[:, :padded, shape[1] // 2 :] = 0
    options: dict[str, Any] = {CONDITIONING_KEY: counts}
    if pooled:
        options["pooled_output"] = torch.randn(1, pooled, generator=generator)
    return [text, options]


@dataclass(frozen=True)
class LoadedModel:
    """A loaded model, a sampler's state, and the conditionings of its call.

    Attributes:
        counted: the positive conditioning, which asks for several of two nouns.
        negative: processed; None for a model that is sampled at cfg 1.
        x: (B, C, h, w), at noise level `sigma`, (B,).
    """

    patcher: comfy.model_patcher.ModelPatcher
    family: Family
    counted: CountedConditioning
    negative: Mapping[str, Any] | None
    x: Tensor
    sigma: Tensor


def in_the_middle(
    patcher: comfy.model_patcher.ModelPatcher, positive: list[Any], negative: list[Any], noise: Tensor
) -> LoadedModel:
    """The model after three tenths of a run that began with `noise`, on its device and in its dtype."""
    inner = patcher.model
    inner.current_patcher = patcher
    conds = {"positive": positive, "negative": negative}
    given = {side: comfy.sampler_helpers.convert_cond(value) for side, value in conds.items()}
    done = comfy.samplers.process_conds(inner, noise, given, noise.device, torch.zeros_like(noise))
    family = family_of(patcher, "the benchmark")
    (counted,) = counted_conditionings(done["positive"], "the benchmark", family)
    level = torch.tensor(float(inner.model_sampling.percent_to_sigma(0.3)))  # in float32, whatever the state is in
    inner.model_sampling.to(noise.device)  # after the level, since "meta" has no numbers
    sigma = level.to(noise.device, noise.dtype).repeat(len(noise))
    return LoadedModel(patcher, family, counted, done["negative"][0], noise * max(float(level), 1.0), sigma)
