"""Reads the demo models' files, takes them apart and puts their weights into modules."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeVar

import comfy.model_patcher
import comfy.utils
import torch
from torch import Tensor

from ...core.errors import CountError
from ...core.weights import not_finite

DIFFUSION, TEXT, PICTURES = "diffusion_model.", "text_encoder.", "first_stage_model."
_LATENT = "latent."
_Module = TypeVar("_Module", bound=torch.nn.Module)
_POINTER = b"version http"  # Git LFS: "version", and the address of its specification
_STATISTICS = ("mean", "std", "rgb_factors")


def tensors_of(path: Path) -> tuple[dict[str, Tensor], Mapping[str, str]]:
    """What a safetensors file of the pack holds, by name, and its metadata.

    Raises:
        CountError: the file is missing, damaged, incomplete, or only a pointer to itself.
    """
    if not path.is_file():
        raise CountError(
            f"a demo model's file is missing: {path.name} is not in the pack's demo/weights folder. Reinstall the pack"
        )
    try:
        tensors, metadata = comfy.utils.load_torch_file(str(path), safe_load=True, return_metadata=True)
    except Exception as error:  # each way of being damaged has a class of its own, and it depends on the reader
        with path.open("rb") as file:
            is_pointer = file.read(len(_POINTER)) == _POINTER
        if is_pointer:
            raise CountError(
                f"{path.name} is a pointer of Git LFS, not the model itself: run `git lfs pull` in the pack's folder, or "
                "install the pack again"
            ) from error
        why = (str(error) or type(error).__name__).splitlines()[0][:200]
        raise CountError(
            f"{path.name} is damaged or incomplete: it has {path.stat().st_size} bytes ({why}). Reinstall the pack"
        ) from error
    broken = not_finite(tensors)
    if broken:
        raise CountError(f"{path.name} is damaged: {broken[0]} holds values that are not numbers. Reinstall the pack")
    return tensors, metadata or {}


def statistics_of(state: Mapping[str, Tensor], model: str) -> dict[str, Tensor]:
    """The latents' `mean`, `std` and `rgb_factors`.

    Args:
        model: what the file should hold, for the error: "an Emoji video model".

    Raises:
        CountError: the file has none, or none that fit each other.
    """
    statistics = {name: state[_LATENT + name] for name in _STATISTICS if _LATENT + name in state}
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


def empty(make: Callable[[], _Module]) -> _Module:
    """A module whose weights are all still to come: start weights would take numbers from the global generator."""
    with torch.device("meta"):
        module = make()
    return module.to_empty(device="cpu")


def patcher_of(model: torch.nn.Module, device: torch.device, offload: torch.device) -> comfy.model_patcher.ModelPatcher:
    """ComfyUI's MODEL, of the class that suits its memory manager."""
    return comfy.model_patcher.CoreModelPatcher(model, load_device=device, offload_device=offload)
