"""Models with random weights at their real configuration, and two prompts of two nouns to sample them with."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

import comfy.model_patcher
import comfy.supported_models as supported
import torch
from comfy_extras.nodes_model_advanced import ModelSamplingSD3
from headcount.core.prompts import CONDITIONING_KEY, CountedObject, Counts, ObjectTokens
from torch import Tensor, nn

from ..cost_models import KINDS as PICTURE_KINDS

NOUNS = ("cats", "dogs")
_PLACES = (2, 5)  # of the nouns' tokens in the prompt
_AUTHORS_SHIFT = 5.0
_WAN: Mapping[str, Any] = {
    "image_model": "wan2.1",
    "model_type": "t2v",
    "dim": 1536,
    "ffn_dim": 8960,
    "num_heads": 12,
    "num_layers": 30,
    "text_dim": 4096,
    "in_dim": 16,
    "out_dim": 16,
    "freq_dim": 256,
    "patch_size": (1, 2, 2),
}
_TINY_WAN = {**_WAN, "dim": 48, "ffn_dim": 64, "num_heads": 4, "num_layers": 4, "text_dim": 32, "freq_dim": 32}


@dataclass(frozen=True)
class Kind:
    """An architecture.

    Attributes:
        config: ComfyUI's class of such models.
        network: its configuration.
        text: (T, width) of a prompt.
        encoder: name of the text encoder.
        channels: of the latent.
        patch: side of a cell of `Size` in the latent.
        shift: of a rectified flow; None for a model that is none.
        size: what the paper, or the model's maker, samples.
        small: what a CPU can sample within minutes.
    """

    config: type
    network: Mapping[str, Any]
    text: tuple[int, int]
    encoder: str
    channels: int
    patch: int
    shift: float | None
    size: Size
    small: Size


@dataclass(frozen=True)
class Size:
    """What is sampled: frames (None for a picture), height and width in cells of attention, and steps."""

    frames: int | None
    height: int
    width: int
    steps: int


KINDS = {
    "wan": Kind(
        supported.WAN21_T2V,
        _WAN,
        (512, 4096),
        "umt5xxl",
        16,
        2,
        _AUTHORS_SHIFT,
        Size(21, 30, 52, 50),
        Size(2, 6, 10, 10),
    ),
    "sd15": Kind(
        PICTURE_KINDS["sd15"].config,
        PICTURE_KINDS["sd15"].unet,
        PICTURE_KINDS["sd15"].text,
        "l",
        4,
        1,
        None,
        Size(None, 64, 64, 50),
        Size(None, 32, 32, 10),
    ),
}
KINDS["tiny_wan"] = replace(KINDS["wan"], network=_TINY_WAN, text=(8, 32), small=Size(2, 6, 8, 5))
KINDS["tiny"] = replace(
    KINDS["sd15"], network=PICTURE_KINDS["tiny"].unet, text=PICTURE_KINDS["tiny"].text, small=Size(None, 16, 16, 5)
)


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


def with_blocks(kind: Kind, blocks: int) -> Kind:
    """A video transformer of that many blocks: a run's memory does not depend on how many there are."""
    return replace(kind, network={**kind.network, "num_layers": blocks})


def sampled(kind: Kind, size: Size, device: torch.device, dtype: torch.dtype, shift: float | None = None) -> Sampled:
    """A model of that kind.

    Args:
        shift: of a rectified flow; None for the authors'.
    """
    generator = torch.Generator().manual_seed(0)
    patcher = comfy.model_patcher.ModelPatcher(_random_model(kind, device, dtype), device, device)
    if kind.shift is not None:
        (patcher,) = ModelSamplingSD3().patch(patcher, shift or kind.shift)
    texts = [torch.randn(1, *kind.text, generator=generator) for _ in range(2)]

    def positive(asked: tuple[int, ...]) -> list[Any]:
        return [[texts[0], {CONDITIONING_KEY: _counts(asked, kind)}]]

    frames = () if size.frames is None else (size.frames,)
    latent = torch.zeros(1, kind.channels, *frames, size.height * kind.patch, size.width * kind.patch)
    return Sampled(patcher, positive, [[texts[1], {}]], latent, size.steps)


def _random_model(kind: Kind, device: torch.device, dtype: torch.dtype) -> nn.Module:
    """Weights that keep activations at about 1, drawn on the device itself."""
    config = kind.config(dict(kind.network))
    config.unet_config = {**kind.network, "dtype": dtype}
    config.manual_cast_dtype = None
    model: nn.Module = config.get_model({}, device=device).requires_grad_(False).eval()
    generator = torch.Generator(device).manual_seed(0)
    for name, weight in model.diffusion_model.named_parameters():
        if weight.ndim > 1:
            limit = (3 / weight[0].numel()) ** 0.5
            weight.uniform_(-limit, limit, generator=generator)
        else:
            weight.fill_(float(name.endswith("weight")))
    return model


def _counts(asked: tuple[int, ...], kind: Kind) -> Counts:
    objects = tuple(CountedObject(noun, number) for noun, number in zip(NOUNS, asked, strict=True))
    tokens = {kind.encoder: tuple(ObjectTokens((place,)) for place in _PLACES)}
    return Counts("cats and dogs", objects, tokens, {kind.encoder: kind.text[0]})
