"""Trains the autoencoder of the Shapes model: `python -m demo.train_autoencoder --out FOLDER`.

Latents get noise while training, so that nearby latents decode to nearby pictures: a diffusion model's small errors,
and a guidance step's small moves, must not show as speckle.
"""

from __future__ import annotations

import random

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import l1_loss

from .comfy_host import register_pack
from .scenes import random_scene
from .step_training import Plan, StepTraining, changed, deadline_of, generator_of, new_parser

register_pack()
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # noqa: E402
from headcount.core.shapes.autoencoder import ShapesAutoencoder, to_pixels  # noqa: E402

NOISE = 0.1
RANGE_WEIGHT = 1e-3
PLAN = Plan(steps=2600, batch=16, rate=2e-3)


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


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    given = new_parser(__doc__).parse_args(arguments)
    torch.manual_seed(given.seed)
    until, plan = deadline_of(given), changed(PLAN, given)
    model = ShapesAutoencoder().to(given.device)
    run = StepTraining(model, given.out, "autoencoder", plan)

    def loss_of(step: int) -> Tensor:
        pixels = picture_batch(random.Random(f"{given.seed} {step}"), plan.batch).to(given.device)
        with torch.autocast(pixels.device.type, torch.bfloat16):
            return reconstruction_loss(model, pixels, generator_of(step, given))

    run.train(loss_of, until)
    torch.save(run.trainer.averaged.cpu().state_dict(), given.out / "autoencoder.pt")


if __name__ == "__main__":
    main()
