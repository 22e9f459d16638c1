"""Drawn scenes as the U-Net draws them: half noised, and denoised again. What they hold is known, and they look generated.

`python -m demo.emoji.redrawn judge --out .cache/emoji` writes redrawn_judge.npz for `demo.emoji.train_detector`. After the idea
of SDEdit (Meng et al. 2022); up to `MOST_NOISE` the objects stay where they were.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from ..train_shapes import Trainee, tokenise
from .bank import encode
from .drawn import CHUNK, all_scenes
from .recipes import RECIPES
from .train_model import new_model

# demo.train_shapes has put the pack on the import path
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS, UNET_WEIGHTS, load_emoji_autoencoder  # isort: skip
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip

LEAST_NOISE, MOST_NOISE = 0.3, 0.6
STEPS, GUIDANCE = 20, 3.0  # as the model is used
BATCH = 32
DETECTORS = ("decider", "judge")


@torch.no_grad()
def redrawn(
    model: Trainee,
    autoencoder: EmojiAutoencoder,
    statistics: dict[str, Tensor],
    pixels: Tensor,
    tokens: Tensor,
    generator: torch.Generator,
) -> Tensor:
    """(B, 3, H, W) pixels in -1..1, noised to one random level and brought back by the guided model.

    Args:
        statistics: `mean` and `std` (C,) of the latents.
        tokens: (B, T) of the scenes' prompts.
    """
    mean, std = (statistics[name].view(1, -1, 1, 1) for name in ("mean", "std"))
    clean = (encode(autoencoder, pixels) - mean) / std
    level = LEAST_NOISE + (MOST_NOISE - LEAST_NOISE) * float(torch.rand((), generator=generator))
    x = (1 - level) * clean + level * torch.randn(clean.shape, generator=generator)
    both = torch.cat([tokens, tokenise([""]).expand_as(tokens)])
    steps = round(STEPS * level)
    for step in range(steps):
        sigma = torch.full((2 * len(x),), level * (1 - step / steps))
        with torch.autocast("cpu", torch.bfloat16):
            wanted, unguided = model(torch.cat([x, x]), sigma, both).float().chunk(2)
        x = x - level / steps * (unguided + GUIDANCE * (wanted - unguided))
    return autoencoder.decode(x * std + mean).clamp(-1, 1)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("detector", choices=DETECTORS, help="whose scenes")
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--chunks", type=int, default=2, help="of a thousand scenes each")
    given = parser.parse_args()
    scenes = all_scenes(given.out / "drawn", given.detector, given.chunks, CHUNK)
    autoencoder, statistics = load_emoji_autoencoder(AUTOENCODER_WEIGHTS)
    model = new_model(RECIPES["unet"], "cpu", UNET_WEIGHTS).eval()
    generator = torch.Generator().manual_seed(DETECTORS.index(given.detector))
    pictures, tokens = [], tokenise(scenes.prompts)
    for start in range(0, len(tokens), BATCH):
        own = slice(start, start + BATCH)
        pixels = to_pixels(torch.from_numpy(scenes.pictures[own]))
        made = redrawn(model, autoencoder, statistics, pixels, tokens[own], generator)
        pictures.append(((made + 1) * 127.5).round().byte().movedim(1, -1).numpy())
        print(f"{start + len(made)} of {len(tokens)}", flush=True)
    np.savez(given.out / f"redrawn_{given.detector}.npz", pictures=np.concatenate(pictures))


if __name__ == "__main__":
    main()
