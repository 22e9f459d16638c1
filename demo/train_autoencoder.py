"""Trains the autoencoder of the Shapes model: `python -m demo.train_autoencoder --minutes 11 --out FOLDER`.

Latents get noise while training, so that nearby latents decode to nearby pictures: a diffusion model's small errors,
and a guidance step's small moves, must not show as speckle.
"""

from __future__ import annotations

import argparse
import math
import random
import time
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from .comfy_host import register_pack
from .scenes import random_scene

register_pack()
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # noqa: E402
from headcount.core.shapes.autoencoder import ShapesAutoencoder, to_pixels  # noqa: E402

NOISE = 0.1
RANGE_WEIGHT = 1e-3


def picture_batch(rng: random.Random, batch: int) -> Tensor:
    """(B, 3, 128, 128) pictures of random scenes, -1..1."""
    return to_pixels(torch.from_numpy(np.stack([random_scene(rng).picture for _ in range(batch)])))


def edges(pixels: Tensor) -> tuple[Tensor, Tensor]:
    """Differences between neighbouring pixels, downwards and to the right."""
    return pixels.diff(dim=2), pixels.diff(dim=3)


def reconstruction_loss(
    model: ShapesAutoencoder | EmojiAutoencoder, pixels: Tensor, generator: torch.Generator, strength: float = NOISE
) -> Tensor:
    """L1 on pixels and on their edges, through a noisy latent, with a weak pull of the latent towards 0.

    Args:
        strength: standard deviation of the latent's noise.
    """
    latent = model.encode(pixels)
    noise = torch.randn(latent.shape, generator=generator, device=latent.device)
    out = model.decode(latent + strength * noise).float()
    edge_loss = sum(l1_loss(a, b) for a, b in zip(edges(out), edges(pixels), strict=True))
    return l1_loss(out, pixels) + edge_loss + RANGE_WEIGHT * latent.float().square().mean()


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=11)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, required=True)
    arguments = parser.parse_args()
    torch.manual_seed(arguments.seed)
    rng, generator = random.Random(arguments.seed), torch.Generator().manual_seed(arguments.seed)
    model = ShapesAutoencoder()
    optimiser = torch.optim.AdamW(model.parameters(), lr=2e-3, betas=(0.9, 0.99), weight_decay=1e-4)
    arguments.out.mkdir(parents=True, exist_ok=True)
    start, step, average = time.monotonic(), 0, math.nan
    while (passed := (time.monotonic() - start) / 60) < arguments.minutes:
        rate = min(1, (step + 1) / 100) * (0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * passed / arguments.minutes)))
        for group in optimiser.param_groups:
            group["lr"] = 2e-3 * rate
        pixels = picture_batch(rng, arguments.batch)
        with torch.autocast("cpu", torch.bfloat16):
            loss = reconstruction_loss(model, pixels, generator)
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        average = loss.item() if math.isnan(average) else 0.98 * average + 0.02 * loss.item()
        step += 1
        if step % 100 == 0:
            line = f"step {step} loss {average:.4f} minutes {passed:.1f}"
            with open(arguments.out / "autoencoder.log", "a") as log:
                log.write(line + "\n")
            print(line, flush=True)
            torch.save(model.state_dict(), arguments.out / "autoencoder.pt")
    torch.save(model.state_dict(), arguments.out / "autoencoder.pt")


if __name__ == "__main__":
    main()
