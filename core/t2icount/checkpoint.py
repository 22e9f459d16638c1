"""From a file's tensors to a network: which configuration they are of, and what is wrong with them if they are of none."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ..errors import CountError
from ..weights import not_finite
from .config import EMOJI, OFFICIAL, SHAPES, CounterConfig, plain_backbone
from .network import BuildNetwork, CountNetwork

CONFIG_ENTRY = "headcount.t2icount"
"""Entry of a safetensors file's metadata: the name of the configuration."""
CONFIGURATIONS = (OFFICIAL, SHAPES, EMOJI)
_BACKBONES = tuple(map(plain_backbone, CONFIGURATIONS))
_SEMANTIC = ".img_txt_fusion"
_FIRST_LAYER = "unet.unet.diffusion_model.input_blocks.0.0.weight"
_RESUME_ENTRY = "model_state_dict"
_NAMED = 5  # weights that a message names
# In the authors' checkpoints, and without influence on a count: the noise prediction, the way into the picture decoder,
# queries and keys of an attention to one key, and a buffer that newer text models do not save.
_UNUSED = re.compile(
    r"unet\.unet\.diffusion_model\.out\.|vae\.post_quant_conv\.|decoder\..*\.img2txt\.[qk]_proj\.|.*\.position_ids$"
)
_OTHER_MODELS = {
    "model.diffusion_model.": "a Stable Diffusion checkpoint",
    "diffusion_model.": "a diffusion model",
    "lora_": "a LoRA",
    "first_stage_model.": "a VAE",
    "text_model.": "a text encoder",
}


def load_network(state: Mapping[str, Any], build: BuildNetwork, config: CounterConfig | None = None) -> CountNetwork:
    """Build the network that a checkpoint holds; the network takes over the tensors without copying them.

    Args:
        state: the authors' names to tensors, or a resume file's dictionary that holds them.
        build: makes the network, here on torch's meta device.
        config: what the tensors are of; found out by their shapes when None.

    Raises:
        CountError: the tensors are not those of a T2ICount network, or hold values that are not numbers; missing, unknown,
            misshapen and wrongly typed ones are named.
    """
    weights = {
        name: value
        for name, value in state.get(_RESUME_ENTRY, state).items()
        if isinstance(value, Tensor) and not _UNUSED.match(name)
    }
    config = config or config_of(weights)
    with torch.device("meta"):
        network = build(config)
    _compare(weights, network.state_dict(), config)
    broken = not_finite(weights)
    if broken:
        raise CountError(
            f"{len(broken)} tensors hold values that are not numbers (NaN or infinite): {_some(broken)}. The file is damaged, "
            "or its training failed; download it again or use an earlier one"
        )
    network.load_state_dict(weights, assign=True)
    return network.requires_grad_(False).eval()


def config_named(name: str) -> CounterConfig:
    """The configuration that a file names.

    Raises:
        CountError: this version of the pack does not know it.
    """
    found = {config.name: config for config in (*CONFIGURATIONS, *_BACKBONES)}.get(name)
    if found is None:
        known = ", ".join(config.name for config in CONFIGURATIONS)
        raise CountError(
            f"this T2ICount file is of the size {name!r}; this version of Headcount knows only {known}. Update it"
        )
    return found


def config_of(weights: Mapping[str, Tensor]) -> CounterConfig:
    """The configuration whose first layer has the shape of the one in `weights`.

    Raises:
        CountError: there is none.
    """
    layer = weights.get(_FIRST_LAYER)
    if layer is None:
        kind = next((kind for start, kind in _OTHER_MODELS.items() if any(n.startswith(start) for n in weights)), None)
        raise CountError(
            f"this file is not a T2ICount checkpoint{f', but {kind}' if kind else ''}: it has no '{_FIRST_LAYER}'. Take "
            "best_model_paper.pth of the T2ICount authors, or a checkpoint of this pack's training"
        )
    is_semantic = any(_SEMANTIC in name for name in weights)
    made, latent = layer.shape[:2]
    for config in CONFIGURATIONS if is_semantic else _BACKBONES:
        if (made, latent) == (config.unet.channels, config.encoder.latent_channels):
            return config
    known = ", ".join(f"{one.name} ({one.encoder.latent_channels} into {one.unet.channels})" for one in CONFIGURATIONS)
    raise CountError(
        f"the first layer of this T2ICount checkpoint turns {latent} latent channels into {made}; known are {known}"
    )


def _compare(weights: Mapping[str, Tensor], expected: Mapping[str, Tensor], config: CounterConfig) -> None:
    missing = [name for name in expected if name not in weights]
    unknown = [name for name in weights if name not in expected]
    misshapen = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(value.shape)}"
        for name, value in expected.items()
        if name in weights and weights[name].shape != value.shape
    ]
    mistyped = [
        f"{name} {str(weights[name].dtype).removeprefix('torch.')}"
        for name, value in expected.items()
        if name in weights and weights[name].is_floating_point() != value.is_floating_point()
    ]
    kinds = {
        "missing": missing,
        "unknown": unknown,
        "of another shape": misshapen,
        "of another type (quantised weights cannot be read)": mistyped,
    }
    faults = [f"{len(names)} {what}: {_some(names)}" for what, names in kinds.items() if names]
    if faults:
        raise CountError(
            f"this is not a complete T2ICount checkpoint ({config.name} size). Tensors " + "; ".join(faults)
        )


def _some(names: Sequence[str]) -> str:
    return ", ".join(names[:_NAMED]) + (", ..." if len(names) > _NAMED else "")
