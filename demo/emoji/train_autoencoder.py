"""Trains the autoencoder of the Emoji models: `python -m demo.emoji.train_autoencoder --out .cache/emoji`.

The loss is that of the Shapes autoencoder. Ends with the accuracy on held-out scenes.

`--start FILE` begins with the weights of a finished autoencoder. `--decoder-only` leaves the encoder as it is: latents stay
what they are, and with them all models that were trained on them, while pictures become crisper.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ..step_training import Plan, StepTraining, changed, deadline_of, generator_of, new_parser
from ..train_autoencoder import reconstruction_loss
from ..train_shapes import part_of
from .drawn import all_scenes, chunk, chunk_options

# demo.train_shapes has put the pack on the import path
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip

NOISE = 0.05  # of latents about as wide as 1: half of what the Shapes autoencoder gets, for finer detail
PLAN = Plan(steps=5000, batch=64, rate=1e-3)
HELD_OUT = "held out"
PREFIX = "first_stage_model."


def training_batch(pictures: Tensor, batch: int, generator: torch.Generator) -> Tensor:
    """(B, 3, 128, 128) of (S, 128, 128, 3) uint8 pictures, drawn at random, -1..1, half of them mirrored."""
    where = {"generator": generator, "device": pictures.device}
    pixels = to_pixels(pictures[torch.randint(len(pictures), (batch,), **where)])
    mirrored = torch.rand(batch, 1, 1, 1, **where) < 0.5
    return torch.where(mirrored, pixels.flip(3), pixels).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def signal_to_noise(model: EmojiAutoencoder, pictures: Tensor) -> Tensor:
    """(S,) peak signal to noise ratio in decibels of each picture (S, 128, 128, 3) uint8 after coding and decoding."""
    found = []
    for some in pictures.split(50):
        pixels = to_pixels(some)
        back = model.decode(model.encode(pixels)).clamp(-1, 1)
        found.append(10 * torch.log10(4 / (back - pixels).square().mean((1, 2, 3))))
    return torch.cat(found)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = new_parser(__doc__)
    chunk_options(parser, 24)
    parser.add_argument("--start", type=Path, help="half-precision weights to begin with")
    parser.add_argument("--decoder-only", action="store_true", help="leave the encoder, and so all latents, alone")
    given = parser.parse_args(arguments)
    torch.manual_seed(given.seed)
    until, plan = deadline_of(given), changed(PLAN, given)
    model = EmojiAutoencoder()
    if given.start:
        model.load_state_dict(part_of(given.start, PREFIX))
    model.to(given.device, memory_format=torch.channels_last)
    if given.decoder_only:
        model.encoder.requires_grad_(False)
    run = StepTraining(model, given.out, "autoencoder", plan)
    scenes = all_scenes(given.out / "drawn", "training", given.chunks, given.chunk)
    pictures = torch.from_numpy(scenes.pictures).to(given.device)

    def loss_of(step: int) -> Tensor:
        generator = generator_of(step, given)
        pixels = training_batch(pictures, plan.batch, generator)
        with torch.autocast(pixels.device.type, torch.bfloat16):
            return reconstruction_loss(model, pixels, generator, NOISE)

    run.train(loss_of, until)
    held_out = torch.from_numpy(chunk(given.out / "drawn", HELD_OUT, 0, given.chunk).pictures).to(given.device)
    found = signal_to_noise(run.trainer.averaged, held_out)
    run.say(
        f"{len(found)} held-out scenes: PSNR mean {found.mean():.2f} dB, 5 % are below {found.quantile(0.05):.2f} dB"
    )


if __name__ == "__main__":
    main()
