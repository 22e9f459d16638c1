"""Latents of the drawn scenes, and their prompts as tokens: what the diffusion models are trained on."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from training.files import write_whole

from ..train_shapes import Bank, known_words, latent_statistics, tokenise
from .drawn import CHUNK, chunk
from .prompts import every_word

# demo.train_shapes has put the pack on the import path
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip
from headcount.bridge.demo_models.emoji_text import VOCABULARY_SIZE  # isort: skip

COLLECTION = "training"
SCENES_FOR_STATISTICS = 1000


def every_known_word() -> Tensor:
    """`known_words` of everything that a prompt can say."""
    return known_words(tokenise(every_word()), VOCABULARY_SIZE)


@torch.no_grad()
def encode(autoencoder: EmojiAutoencoder, pixels: Tensor) -> Tensor:
    """(S, 12, h, w) latents of (S, 3, 8h, 8w) pixels in -1..1, before any scaling."""
    latents = []
    for some in pixels.split(50):
        with torch.autocast(pixels.device.type, torch.bfloat16):
            latents.append(autoencoder.encode(some.contiguous(memory_format=torch.channels_last)).float())
    return torch.cat(latents)


def statistics_of_scenes(autoencoder: EmojiAutoencoder, drawn: Path, size: int = CHUNK) -> dict[str, Tensor]:
    """`Bank.statistics`, from the first training scenes."""
    pixels = to_pixels(torch.from_numpy(chunk(drawn, COLLECTION, 0, size).pictures[:SCENES_FOR_STATISTICS]))
    return latent_statistics(encode(autoencoder, pixels), nn.functional.avg_pool2d(pixels, 8))


def _chunk_latents(autoencoder: EmojiAutoencoder, statistics: dict[str, Tensor], drawn: Path, number: int, size: int):
    """Normalised latents of a chunk's pictures and of their mirror images, and the tokens of both."""
    scenes = chunk(drawn, COLLECTION, number, size)
    device = next(autoencoder.parameters()).device
    pixels = to_pixels(torch.from_numpy(scenes.pictures).to(device))
    mean, std = (statistics[key].to(device).view(1, -1, 1, 1) for key in ("latent.mean", "latent.std"))
    latents = [((encode(autoencoder, some) - mean) / std).half().cpu() for some in (pixels, pixels.flip(3))]
    tokens = tokenise(scenes.prompts)
    return torch.cat(latents).contiguous(), torch.cat([tokens, tokens])


def latent_bank(
    autoencoder: EmojiAutoencoder, statistics: dict[str, Tensor], folder: Path, chunks: int, size: int = CHUNK
) -> Bank:
    """Latents of the first `chunks` chunks of drawn scenes and of their mirror images: S is 2 x chunks x size.

    Each chunk's latents are kept in `folder`/latents, by encoder, so that a bank grows without encoding anew.
    """
    weights = b"".join(value.cpu().numpy().tobytes() for value in autoencoder.encoder.state_dict().values())
    name = hashlib.sha256(weights).hexdigest()[:12]
    latents, tokens = [], []
    for number in range(chunks):
        file = folder / "latents" / f"{name}_{size}_{number:03}.safetensors"
        if not file.is_file():
            found = _chunk_latents(autoencoder, statistics, folder / "drawn", number, size)
            write_whole(file, partial(save_file, dict(zip(("latents", "tokens"), found, strict=True))))
        with safe_open(file, "pt") as kept:
            latents.append(kept.get_tensor("latents"))
            tokens.append(kept.get_tensor("tokens"))
    return Bank(torch.cat(latents), torch.cat(tokens), tokenise([""])[0], statistics)
