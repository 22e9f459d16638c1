"""Takes a Shapes file apart and puts its weights into ComfyUI's modules."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeVar

import comfy.model_patcher
import torch
from torch import Tensor

from ...core.errors import CountError

DIFFUSION, TEXT, PICTURES, LATENT = "diffusion_model.", "text_encoder.", "first_stage_model.", "latent."
_Autoencoder = TypeVar("_Autoencoder", bound=torch.nn.Module)
_STATISTICS = ("mean", "std", "rgb_factors")


def statistics_of(state: Mapping[str, Tensor], model: str) -> dict[str, Tensor]:
    """The latents' `mean`, `std` and `rgb_factors`.

    Args:
        model: what the file should hold, for the error: "a Shapes video model".

    Raises:
        CountError: the file has none, or none that fit each other.
    """
    statistics = {name: state[LATENT + name] for name in _STATISTICS if LATENT + name in state}
    if len(statistics) < len(_STATISTICS):
        raise CountError(f"this is not {model}: the file has no latent statistics")
    channels = statistics["mean"].numel()
    if statistics["std"].numel() != channels or tuple(statistics["rgb_factors"].shape) != (channels + 1, 3):
        shapes = ", ".join(f"{name} {tuple(value.shape)}" for name, value in statistics.items())
        raise CountError(f"this is not {model}: the file's latent statistics do not fit each other: {shapes}")
    return statistics


def part_of_state(state: Mapping[str, Tensor], prefix: str, model: str) -> dict[str, Tensor]:
    """The weights under `prefix`, without it, in float32 where they are floats.

    Raises:
        CountError: the file has none.
    """
    part = {key[len(prefix) :]: value for key, value in state.items() if key.startswith(prefix)}
    if not part:
        raise CountError(f"this is not {model}: the file has no weights under '{prefix}'")
    return {key: value.float() if value.is_floating_point() else value for key, value in part.items()}


def fill(module: torch.nn.Module, weights: Mapping[str, Tensor], model: str) -> None:
    """Give a module its weights.

    Raises:
        CountError: some are missing, unknown or of another shape.
    """
    try:
        module.load_state_dict(weights)
    except RuntimeError as error:
        raise CountError(f"this is not {model} that this version of the pack can read: {error}") from error


def empty_autoencoder(kind: type[_Autoencoder]) -> _Autoencoder:
    """An autoencoder whose weights are still to come: start weights would take numbers from the global generator."""
    with torch.device("meta"):
        autoencoder = kind()
    return autoencoder.to_empty(device="cpu")


def patcher_of(model: torch.nn.Module, device: torch.device, offload: torch.device) -> comfy.model_patcher.ModelPatcher:
    """ComfyUI's MODEL, of the class that suits its memory manager."""
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=offload)
