"""How large a Shapes video model is. Its file does not say so: the shapes of its weights do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import Tensor

from ...core.errors import CountError
from ...core.shapes.autoencoder import LATENT_CHANNELS
from .text_encoder import MAX_LENGTH, WIDTH

HEAD_WIDTH = 32
_TIME_WIDTH = 128


@dataclass(frozen=True)
class VideoSize:
    """Sizes of a Wan transformer.

    Attributes:
        width: of a token, a multiple of `HEAD_WIDTH`.
        hidden: of the MLPs.
        layers: number of blocks.
        patch: side of a token in latent pixels; a token is of one frame.
    """

    width: int = 256
    hidden: int = 1024
    layers: int = 8
    patch: int = 1

    def config(self) -> dict[str, Any]:
        """What ComfyUI's `WanModel` is made with."""
        return {
            "image_model": "wan2.1",
            "model_type": "t2v",
            "dim": self.width,
            "ffn_dim": self.hidden,
            "num_heads": self.width // HEAD_WIDTH,
            "num_layers": self.layers,
            "patch_size": (1, self.patch, self.patch),
            "in_dim": LATENT_CHANNELS,
            "out_dim": LATENT_CHANNELS,
            "text_dim": WIDTH,
            "text_len": MAX_LENGTH,
            "freq_dim": _TIME_WIDTH,
        }


def size_of(weights: Mapping[str, Tensor], model: str) -> VideoSize:
    """The size of a diffusion model, from its weights.

    Args:
        weights: of a `WanModel`, without a prefix.
        model: what the file should hold, for the error.

    Raises:
        CountError: these are weights of something else.
    """
    try:
        width, _, _, patch, _ = weights["patch_embedding.weight"].shape
        hidden = len(weights["blocks.0.ffn.0.bias"])
    except (KeyError, ValueError) as error:
        raise CountError(f"this is not {model}: its diffusion model is not a Wan transformer of this kind") from error
    layers = 1 + max(int(name.split(".")[1]) for name in weights if name.startswith("blocks."))
    return VideoSize(width, hidden, layers, patch)
