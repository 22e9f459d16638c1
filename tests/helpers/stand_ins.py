"""Load Checkpoint gives small models with random weights under the names of real files: for a server of its own.

Tokenizers, diffusion classes, sampling and nodes are ComfyUI's own; text encoders are tables of random rows.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import comfy.sd
import comfy.sd1_clip
import comfy.sdxl_clip
import comfy.supported_models
import comfy.supported_models_base
import comfy.taesd.taesd
import comfy.text_encoders.flux
import comfy.text_encoders.sd3_clip
import torch
from torch import Tensor, nn

from .detector_pack import untrained_sam3
from .families import POOLED, WIDTH, build, small
from .models import random_weights

_VOCABULARY = 50_000
_HELPERS = Path(__file__).resolve().parent
# What a custom node pack of that content does: it makes the helpers importable, and installs the stand-ins.
PACK = f"""import sys, types
sys.path.append({str(_HELPERS.parent.parent)!r})
from training.pack import register_pack
register_pack()
helpers = types.ModuleType("headcount_test_helpers")
helpers.__path__ = [{str(_HELPERS)!r}]
sys.modules[helpers.__name__] = helpers
from headcount_test_helpers.stand_ins import install
install()
NODE_CLASS_MAPPINGS = {{}}
"""


@dataclass(frozen=True)
class StandIn:
    """What is loaded instead of a file.

    Attributes:
        model: its name in `families.SMALL`.
        tokenizer: the real model's.
        read: the tokenizer's keys whose tokens the model sees, one after the other.
        halved: keys whose features fill the lower half of the width only, as SD3's CLIP.
    """

    model: str
    tokenizer: Callable[..., Any]
    read: tuple[str, ...]
    halved: tuple[str, ...] = ()


STAND_INS = {
    "v1-5-pruned-emaonly-fp16.safetensors": StandIn("Stable Diffusion 1.5", comfy.sd1_clip.SD1Tokenizer, ("l",)),
    "sd_xl_base_1.0.safetensors": StandIn("SDXL", comfy.sdxl_clip.SDXLTokenizer, ("l",)),
    "sd3.5_large_fp8_scaled.safetensors": StandIn(
        *("Stable Diffusion 3", comfy.text_encoders.sd3_clip.SD3Tokenizer, ("l", "t5xxl"), ("l",))
    ),
    "flux1-dev-fp8.safetensors": StandIn("Flux 1", comfy.text_encoders.flux.FluxTokenizer, ("t5xxl",)),
}


SAM3 = "sam3.1_multiplex_fp16.safetensors"


class _Text(nn.Module):
    """A text encoder: a random row for each token id, and a pooled vector."""

    def __init__(self, stand_in: StandIn) -> None:
        super().__init__()
        self.stand_in, self.dtypes = stand_in, {torch.float32}
        rows = torch.randn(_VOCABULARY, WIDTH, generator=torch.Generator().manual_seed(2))
        self.rows = nn.Parameter(rows, requires_grad=False)

    def set_clip_options(self, options: dict[str, Any]) -> None:
        pass

    def reset_clip_options(self) -> None:
        pass

    def encode_token_weights(self, tokens: dict[str, list[list[tuple[Any, ...]]]]) -> tuple[Tensor, Tensor]:
        """(1, T, WIDTH) of all chunks, and (1, POOLED)."""
        parts = []
        for key in self.stand_in.read:
            part = self.rows[[entry[0] for chunk in tokens[key] for entry in chunk]]
            if key in self.stand_in.halved:
                part = torch.cat([part[:, : WIDTH // 2], torch.zeros_like(part[:, WIDTH // 2 :])], 1)
            parts.append(part)
        text = torch.cat(parts)
        return text[None], text.mean(0, keepdim=True)[:, :POOLED]


def load(name: str) -> tuple[Any, comfy.sd.CLIP, comfy.sd.VAE | None]:
    """MODEL, CLIP and VAE in the place of a file; SAM3 has no VAE."""
    if name == SAM3:
        return *untrained_sam3(comfy.supported_models.SAM31), None
    stand_in = STAND_INS[name]
    setup = build(small(stand_in.model))
    target = comfy.supported_models_base.ClipTarget(
        stand_in.tokenizer, lambda dtype, device, model_options: _Text(stand_in)
    )
    autoencoder = comfy.taesd.taesd.TAESD(latent_channels=setup.channels)
    weights = {**random_weights(autoencoder), "vae_scale": torch.tensor(1.0), "vae_shift": torch.tensor(0.0)}
    return setup.model, comfy.sd.CLIP(target), comfy.sd.VAE(sd=weights)


def install() -> None:
    """Let Load Checkpoint load stand-ins."""
    import nodes

    nodes.CheckpointLoaderSimple.load_checkpoint = lambda self, ckpt_name: load(ckpt_name)


def furnish(base: Path) -> None:
    """Make a server's base folder one whose Load Checkpoint lists the real names and gives stand-ins."""
    checkpoints = base / "models" / "checkpoints"
    checkpoints.mkdir(parents=True)
    for name in (*STAND_INS, SAM3):
        (checkpoints / name).touch()
    pack = base / "custom_nodes" / "stand_ins"
    pack.mkdir(parents=True)
    (pack / "__init__.py").write_text(PACK)
