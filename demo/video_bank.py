"""Training clips of the Shapes video model, drawn and encoded once and kept in a file."""

from __future__ import annotations

import multiprocessing
import random
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import starmap
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors import safe_open
from safetensors.torch import save_file
from torch import Tensor

from training.files import write_whole

from .comfy_host import register_pack
from .scenes import SIZE
from .train_shapes import Bank, tokenise
from .video_scenes import FRAMES, random_clip

register_pack()
from headcount.core.shapes.autoencoder import (  # noqa: E402
    DOWNSCALE,
    LATENT_CHANNELS,
    ShapesAutoencoder,
    to_pixels,
)

_CHUNK = 64  # clips that are drawn by one worker at a time
Drawn = tuple[NDArray[np.uint8], list[str]]


@dataclass(frozen=True)
class BankPlan:
    """What decides which clips there are.

    Attributes:
        clips: S, how many.
        frames: F, of each.
        workers: processes that draw; the clips do not depend on it.
    """

    clips: int
    seed: int = 0
    frames: int = FRAMES
    workers: int = 1


def clip_bank(
    plan: BankPlan, file: Path, autoencoder: ShapesAutoencoder, statistics: dict[str, Tensor], device: torch.device
) -> Bank:
    """The bank in `file`, or a new one that is then written there.

    Args:
        autoencoder: the trained one, on `device`.
        statistics: `mean` and `std` (8,) of its latents.
    """
    name = f"{plan.clips} clips of {plan.frames} frames, seed {plan.seed}"
    if file.is_file():
        with safe_open(file, "pt") as kept:
            if (kept.metadata() or {}).get("bank") == name:
                return Bank(*(kept.get_tensor(key) for key in ("latents", "tokens", "empty")))
    bank = _new_bank(plan, autoencoder, statistics, device)
    tensors = {"latents": bank.latents, "tokens": bank.tokens, "empty": bank.empty}
    write_whole(file, lambda path: save_file(tensors, path, {"bank": name}))
    return bank


@torch.no_grad()
def _new_bank(
    plan: BankPlan, autoencoder: ShapesAutoencoder, statistics: dict[str, Tensor], device: torch.device
) -> Bank:
    mean, std = (statistics[key].float().to(device).view(1, -1, 1, 1) for key in ("mean", "std"))
    side = SIZE // DOWNSCALE
    latents = torch.empty(plan.clips, LATENT_CHANNELS, plan.frames, side, side, dtype=torch.float16)
    prompts: list[str] = []
    for pictures, asked in _drawn(plan):
        for pixels in torch.from_numpy(pictures).split(_CHUNK // 8):
            with torch.autocast(device.type, torch.bfloat16):
                encoded = autoencoder.encode(to_pixels(pixels.flatten(0, 1).to(device)))
            scaled = ((encoded.float() - mean) / std).unflatten(0, (-1, plan.frames)).movedim(2, 1)
            start = len(prompts)
            latents[start : start + len(scaled)] = scaled.half().cpu()
            prompts += asked[: len(scaled)]
            del asked[: len(scaled)]
    return Bank(latents, tokenise(prompts), tokenise([""])[0])


def _drawn(plan: BankPlan) -> Iterator[Drawn]:
    """(n, F, SIZE, SIZE, 3) pictures and n prompts at a time, in an order that does not depend on the workers."""
    chunks = [
        (plan.seed * 1_000_003 + number, min(_CHUNK, plan.clips - start), plan.frames)
        for number, start in enumerate(range(0, plan.clips, _CHUNK))
    ]
    if plan.workers < 2:
        yield from starmap(draw_clips, chunks)
        return
    # A fork has everything imported already; its processes only draw.
    with multiprocessing.get_context("fork").Pool(plan.workers) as pool:
        yield from pool.imap(_draw_clips, chunks)


def draw_clips(seed: int, clips: int, frames: int) -> Drawn:
    """Random clips: (clips, frames, SIZE, SIZE, 3) uint8 pictures, and their prompts."""
    rng = random.Random(seed)
    drawn = [random_clip(rng, frames=frames) for _ in range(clips)]
    return np.stack([clip.pictures for clip in drawn]), [clip.prompt for clip in drawn]


def _draw_clips(chunk: tuple[int, int, int]) -> Drawn:
    return draw_clips(*chunk)
