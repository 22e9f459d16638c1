"""ComfyUI's own list of models: what classes its loader makes of each entry, without weights."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from types import SimpleNamespace
from typing import Any

import comfy.model_base
import comfy.supported_models
import torch
from torch import Tensor, nn

CONFIGS: list[type] = comfy.supported_models.models
# What some entries ask of the file's configuration before they make their model.
_OF_A_FILE = {"in_channels": 4, "hidden_size": 64, "timestep_features_type": "learned"}


class _Made(Exception):
    """The classes of a model, as it is about to be made."""

    def __init__(self, model: type, diffusion: type) -> None:
        super().__init__(model, diffusion)
        self.pair = model, diffusion


class _Weights(dict[str, Tensor]):
    """A file that has every weight."""

    def __missing__(self, name: str) -> Tensor:
        return torch.zeros(1, 1)


@contextmanager
def _ends_with_its_classes() -> Iterator[None]:
    base = comfy.model_base.BaseModel
    own = base.__init__

    def init(self: Any, model_config: Any, model_type: Any = None, device: Any = None, unet_model: Any = None) -> None:
        raise _Made(type(self), unet_model or comfy.model_base.UNetModel)

    base.__init__ = init
    try:
        yield
    finally:
        base.__init__ = own


def configuration(config: type) -> Any:
    """An entry of ComfyUI's list, as its loader makes it for a file that says no more than the entry asks for."""
    return config({**_OF_A_FILE, **config.unet_config})


def classes_of(config: type) -> tuple[type, type]:
    """ComfyUI's classes of an entry's model and of its diffusion model."""
    made = configuration(config)
    with _ends_with_its_classes():
        try:
            made.get_model(_Weights(), device="meta")
        except _Made as found:
            return found.pair
    raise AssertionError(f"{config.__name__} makes no BaseModel")


def skeleton(model: type, diffusion: type, **attributes: Any) -> Any:
    """A MODEL of these classes without a single weight, as far as nodes look at it before they sample."""
    base, network = model.__new__(model), diffusion.__new__(diffusion)
    for module in (base, network):
        nn.Module.__init__(module)
    for name, value in attributes.items():
        setattr(network, name, value)
    base.diffusion_model = network
    return SimpleNamespace(model=base)
