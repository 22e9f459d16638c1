"""Latents of the drawn scenes and clips, and their prompts as tokens: what the diffusion models are trained on."""

from __future__ import annotations

import hashlib
from functools import partial
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from training.files import write_whole

from ..train_shapes import Bank, known_words, latent_statistics, tokenise
from .clips import clip
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


Drawn = tuple[NDArray[np.uint8], list[str]]
"""Pictures (S, 128, 128, 3), or clips of F of them, (S, F, 128, 128, 3), and their prompts."""


def _drawn_scenes(folder: Path, number: int, size: int) -> Drawn:
    scenes = chunk(folder, COLLECTION, number, size)
    return scenes.pictures, scenes.prompts


def _drawn_clips(_: Path, number: int, size: int) -> Drawn:
    clips = [clip(COLLECTION, number * size + one) for one in range(size)]
    return np.stack([one.pictures for one in clips]), [one.prompt for one in clips]


def _latents_of(autoencoder: EmojiAutoencoder, statistics: dict[str, Tensor], drawn: Drawn) -> tuple[Tensor, Tensor]:
    """Normalised latents of pictures or clips and of their mirror images, and the tokens of both."""
    pictures, prompts = drawn
    device = next(autoencoder.parameters()).device
    pixels = to_pixels(torch.from_numpy(pictures).flatten(0, -4).to(device))
    mean, std = (statistics[key].to(device).view(1, -1, 1, 1) for key in ("latent.mean", "latent.std"))
    latents = torch.cat([((encode(autoencoder, some) - mean) / std).half().cpu() for some in (pixels, pixels.flip(3))])
    if pictures.ndim > 4:
        latents = latents.unflatten(0, (-1, pictures.shape[1])).movedim(2, 1)
    tokens = tokenise(prompts)
    return latents.contiguous(), torch.cat([tokens, tokens])


def latent_bank(
    autoencoder: EmojiAutoencoder,
    statistics: dict[str, Tensor],
    folder: Path,
    chunks: int,
    size: int = CHUNK,
    has_clips: bool = False,
) -> Bank:
    """Latents of the first `chunks` chunks of drawn scenes, or clips, and of their mirror images: S is 2 x chunks x size.

    Each chunk's latents are kept in `folder`/latents, by encoder, so that a bank grows without encoding anew.
    """
    weights = b"".join(value.cpu().numpy().tobytes() for value in autoencoder.encoder.state_dict().values())
    name = hashlib.sha256(weights).hexdigest()[:12]
    latents, tokens = [], []
    for number in range(chunks):
        file = folder / "latents" / f"{name}_{'clips_' if has_clips else ''}{size}_{number:03}.safetensors"
        if not file.is_file():
            drawn = (_drawn_clips if has_clips else _drawn_scenes)(folder / "drawn", number, size)
            found = _latents_of(autoencoder, statistics, drawn)
            write_whole(file, partial(save_file, dict(zip(("latents", "tokens"), found, strict=True))))
        with safe_open(file, "pt") as kept:
            latents.append(kept.get_tensor("latents"))
            tokens.append(kept.get_tensor("tokens"))
    return Bank(torch.cat(latents), torch.cat(tokens), tokenise([""])[0], statistics)


def clip_bank(
    autoencoder: EmojiAutoencoder, statistics: dict[str, Tensor], folder: Path, chunks: int, size: int = CHUNK
) -> Bank:
    """`latent_bank` of clips: latents (S, 12, F, h, w)."""
    return latent_bank(autoencoder, statistics, folder, chunks, size, has_clips=True)


def frame_bank(
    autoencoder: EmojiAutoencoder, statistics: dict[str, Tensor], folder: Path, chunks: int, size: int = CHUNK
) -> Bank:
    """The single pictures of `clip_bank`: latents (S x F, 12, h, w)."""
    clips = clip_bank(autoencoder, statistics, folder, chunks, size)
    frames = clips.latents.movedim(2, 1)
    tokens = clips.tokens.repeat_interleave(frames.shape[1], 0)
    return Bank(frames.flatten(0, 1), tokens, clips.empty, clips.statistics)
