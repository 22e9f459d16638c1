"""Trains the autoencoder of the Emoji models: `python -m demo.emoji.train_autoencoder --out .cache/emoji`.

The loss is that of the Shapes autoencoder. Goes on from FOLDER/autoencoder_training.pt where there is one; every random
choice hangs on --seed and the step, so a resumed run is the uninterrupted one. Ends with the accuracy on held-out scenes.

`--decoder-only` leaves the encoder as it is: latents stay what they are, and with them all models that were trained on them,
while pictures become crisper.
"""

from __future__ import annotations

import argparse
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import torch
from numpy.typing import NDArray
from torch import Tensor

from ..train_autoencoder import reconstruction_loss
from .drawn import CHUNK, chunk
from .parts import gradient_in_parts
from .stepped import ChunkReader, SteppedRun

# demo.train_autoencoder has put the pack on the import path
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip

NOISE = 0.05  # of latents about as wide as 1: half of what the Shapes autoencoder gets, for finer detail
PEAK_RATE = 1.5e-3
PARTS = 2  # of a batch, a thread each
HELD_OUT = "held out"


def learning_rate(step: int, steps: int) -> float:
    """Warm-up over 200 steps, then a cosine down to 1 %."""
    return PEAK_RATE * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * min(1, step / steps))))


def training_batch(pictures: NDArray, batch: int, generator: torch.Generator) -> Tensor:
    """(B, 3, 128, 128) random pictures, -1..1, half of them mirrored."""
    chosen = torch.randint(len(pictures), (batch,), generator=generator)
    pixels = to_pixels(torch.from_numpy(pictures[chosen.numpy()]))
    mirrored = torch.rand(batch, 1, 1, 1, generator=generator) < 0.5
    return torch.where(mirrored, pixels.flip(3), pixels).contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def signal_to_noise(model: EmojiAutoencoder, pictures: NDArray) -> Tensor:
    """(S,) peak signal to noise ratio in decibels of each picture (S, 128, 128, 3) uint8 after coding and decoding."""
    found = []
    for some in torch.from_numpy(pictures).split(50):
        pixels = to_pixels(some)
        back = model.decode(model.encode(pixels)).clamp(-1, 1)
        found.append(10 * torch.log10(4 / (back - pixels).square().mean((1, 2, 3))))
    return torch.cat(found)


def part_loss(model: EmojiAutoencoder, pictures: NDArray, given: argparse.Namespace, number: int) -> Tensor:
    """The loss of part `number` of all parts of all batches."""
    generator = torch.Generator().manual_seed(given.seed * 1_000_003 + number)
    pixels = training_batch(pictures, given.batch // PARTS, generator)
    with torch.autocast("cpu", torch.bfloat16):
        return reconstruction_loss(model, pixels, generator, NOISE)


def begun(given: argparse.Namespace) -> SteppedRun:
    """The run that the command line asks for."""
    torch.manual_seed(given.seed)
    model = EmojiAutoencoder().to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.99), weight_decay=1e-4)
    if given.decoder_only:
        model.encoder.requires_grad_(False)
    return SteppedRun(
        model, optimiser, given.out, "autoencoder", given.steps, partial(learning_rate, steps=given.steps)
    )


def train(run: SteppedRun, given: argparse.Namespace) -> None:
    """Train to the last step."""
    parameters = [value for value in run.model.parameters() if value.requires_grad]
    scenes = chunks_of(given, "training")
    with ThreadPoolExecutor(PARTS) as pool:

        def gradient(step: int) -> float:
            pictures = scenes.at(step).pictures
            losses = [partial(part_loss, run.model, pictures, given, PARTS * step + part) for part in range(PARTS)]
            return gradient_in_parts(pool, parameters, losses)

        run.train(gradient)


def chunks_of(given: argparse.Namespace, collection: str) -> ChunkReader:
    """The drawn scenes of a run."""
    read = partial(chunk, given.out / "drawn", collection, size=given.chunk)
    return ChunkReader(read, given.chunk / given.batch, given.chunks)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--steps", type=int, default=3500)
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--chunks", type=int, default=24, help="of drawn scenes to train on")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="scenes in a chunk")
    parser.add_argument("--decoder-only", action="store_true", help="leave the encoder, and so all latents, alone")
    parser.add_argument("--seed", type=int, default=0)
    given = parser.parse_args(arguments)
    run = begun(given)
    train(run, given)
    found = signal_to_noise(run.model, chunk(given.out / "drawn", HELD_OUT, 0, given.chunk).pictures)
    lowest = float(found.quantile(0.05))
    run.say(f"{len(found)} held-out scenes: PSNR mean {float(found.mean()):.2f} dB, 5 % are below {lowest:.2f} dB")


if __name__ == "__main__":
    main()
