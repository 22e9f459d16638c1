"""The network that a training run begins with: from Stable Diffusion 1.5, from T2ICount, or from a demo model."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import torch
from headcount.core.errors import CountError
from headcount.core.t2icount.checkpoint import load_network
from headcount.core.t2icount.config import EMOJI, OFFICIAL, SHAPES, CounterConfig
from headcount.core.t2icount.network import CountNetwork
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor

from .comfyui import network_builder
from .fresh_decoder import begin_decoder
from .pickled_weights import read_pickled_weights

_TRAINED_ALREADY = "decoder.regressor."
_LISTED = 5


@dataclass(frozen=True)
class Source:
    """A text-to-image model whose weights a network takes over; the decoder begins with random ones.

    Attributes:
        name: in errors.
        mark: beginning of a weight's name that tells such a file from those of the other `SOURCES`.
        config: of the network.
        names: beginning of a name in the network -> in the file.
    """

    name: str
    mark: str
    config: CounterConfig
    names: Mapping[str, str]


STABLE_DIFFUSION = Source(
    "Stable Diffusion 1.5",
    "model.diffusion_model.",
    OFFICIAL,
    {
        "unet.unet.diffusion_model.": "model.diffusion_model.",
        "vae.": "first_stage_model.",
        "clip.transformer.": "cond_stage_model.transformer.",
    },
)
SHAPES_MODEL = Source(
    "the Shapes demo model",
    "text_encoder.clip_l.transformer.",
    SHAPES,
    {
        "unet.unet.diffusion_model.": "diffusion_model.",
        "vae.mean": "latent.mean",
        "vae.std": "latent.std",
        "vae.": "first_stage_model.",
        "clip.transformer.": "text_encoder.clip_l.transformer.",
    },
)
EMOJI_MODEL = replace(SHAPES_MODEL, name="the Emoji demo model", config=EMOJI)
"""Its weights are in two files, the diffusion model's and the autoencoder's: `demo.train_counter` puts them together, and
`start_network`, which takes one file, refuses them."""
SOURCES = (STABLE_DIFFUSION, SHAPES_MODEL)


def start_network(path: Path, seed: int) -> CountNetwork:
    """The network to train, on the CPU in float32.

    Args:
        path: .safetensors, .ckpt or .pth with a Stable Diffusion 1.5, T2ICount or Shapes model.
        seed: of the decoder's random weights; a T2ICount file brings its own.

    Raises:
        CountError: the file is missing, cannot be read, or holds another model.
    """
    weights = read_weights(path)
    if any(name.startswith(_TRAINED_ALREADY) for name in weights):
        return load_network(weights, network_builder()).float()
    for source in SOURCES:
        if any(name.startswith(source.mark) for name in weights):
            return taken_over(source, weights, path, seed)
    raise CountError(
        f"{path} holds neither Stable Diffusion 1.5, nor T2ICount, nor the Shapes demo model; "
        f"its weights begin with {', '.join(sorted(weights)[:_LISTED])}"
    )


def read_weights(path: Path) -> dict[str, Tensor]:
    """Weights by name, whatever the kind of file.

    Raises:
        CountError: the file is missing or cannot be read.
    """
    if not path.is_file():
        raise CountError(f"there is no file {path}")
    if path.suffix != ".safetensors":
        return read_pickled_weights(path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise CountError(f"{path} is not a whole safetensors file ({error}); fetch it again") from error


def taken_over(source: Source, weights: Mapping[str, Tensor], path: Path, seed: int) -> CountNetwork:
    """A network with a text-to-image model's weights and a random decoder.

    Args:
        path: of the weights, for errors.

    Raises:
        CountError: weights are missing or of another size.
    """
    build = network_builder()
    with torch.device("meta"):
        network = build(source.config)
    wanted = {name: value for name, value in network.state_dict().items() if not name.startswith("decoder.")}
    named = {name: name_in_file(name, source) for name in wanted}
    missing = [name for name in named.values() if name not in weights]
    other = [
        f"{name} {tuple(weights[name].shape)} instead of {tuple(wanted[own].shape)}"
        for own, name in named.items()
        if name in weights and weights[name].shape != wanted[own].shape
    ]
    if missing or other:
        raise CountError(
            f"{path} is not {source.name}: {len(missing)} weights are missing and {len(other)} have another size, "
            f"for example {', '.join((missing + other)[:_LISTED])}"
        )
    begin_decoder(network, seed)
    taken = {own: _plain(weights[name]) for own, name in named.items()}
    network.load_state_dict(taken, strict=False, assign=True)
    return network


def name_in_file(name: str, source: Source) -> str:
    """What a weight of the network is called in the model it is taken from."""
    own, theirs = next(pair for pair in source.names.items() if name.startswith(pair[0]))
    return theirs + name.removeprefix(own)


def _plain(value: Tensor) -> Tensor:
    return value.float() if value.is_floating_point() else value
