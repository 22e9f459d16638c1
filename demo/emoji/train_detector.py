"""Trains the decider, the detector that counts Emoji pictures: `python -m demo.emoji.train_detector --out .cache/emoji`.

It sees drawn scenes of its own collection, as they are, softened, and through the autoencoder with noise on the latents, which
is how generated pictures look. Goes on from FOLDER/decider_training.pt where there is one. Ends with its accuracy on held-out
scenes, drawn and through the autoencoder.
"""

from __future__ import annotations

import argparse
import json
from collections import Counter
from functools import partial
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..train_shapes import halved, learning_rate
from .drawn import CHUNK, DrawnScenes, chunk
from .stepped import SteppedRun
from .train_autoencoder import HELD_OUT, chunks_of
from .vocabulary import NOUNS

# demo.train_shapes has put the pack on the import path
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS, load_emoji_autoencoder  # isort: skip
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.emoji.detector import (  # isort: skip
    STRIDE,
    EmojiDetector,
    box_loss,
    detections,
    heat_loss,
    heat_target,
)
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip

COLLECTION = "decider"
PEAK_RATE = 2e-3
LATENT_NOISE = 0.4  # most of it, in standard deviations of the latents


@torch.no_grad()
def through_autoencoder(
    autoencoder: EmojiAutoencoder, std: Tensor, pixels: Tensor, noise: float, generator: torch.Generator
) -> Tensor:
    """Pixels (B, 3, H, W) coded and decoded, with noise on the latents in units of their standard deviations `std` (C,)."""
    latent = autoencoder.encode(pixels)
    added = torch.randn(latent.shape, generator=generator) * std.view(1, -1, 1, 1)
    return autoencoder.decode(latent + noise * added).clamp(-1, 1)


def varied(pixels: Tensor, autoencoder: EmojiAutoencoder, std: Tensor, generator: torch.Generator) -> Tensor:
    """A third each as drawn, softened, and through the autoencoder with noise."""
    kind = torch.rand((), generator=generator)
    if kind < 1 / 3:
        return pixels
    if kind < 2 / 3:
        small = nn.functional.avg_pool2d(pixels, 2)
        soft = nn.functional.interpolate(small, scale_factor=2.0, mode="bilinear")
        return soft + 0.03 * torch.randn(pixels.shape, generator=generator)
    noise = LATENT_NOISE * float(torch.rand((), generator=generator))
    return through_autoencoder(autoencoder, std, pixels, noise, generator)


def detector_loss(model: EmojiDetector, pixels: Tensor, targets: list[tuple[Tensor, Tensor]]) -> Tensor:
    """Loss of a batch; `targets` are those of `heat_target`, one a picture."""
    with torch.autocast("cpu", torch.bfloat16):
        output = model(pixels)
    output = output.float()
    heat = torch.stack([heat for heat, _ in targets])
    picture = torch.cat([torch.full((len(wanted),), index) for index, (_, wanted) in enumerate(targets)])
    boxes = box_loss(output[:, model.nouns :], picture, torch.cat([wanted for _, wanted in targets]))
    return heat_loss(output[:, : model.nouns], heat) + boxes


def targets_of(scenes: DrawnScenes, chosen: Tensor) -> list[tuple[Tensor, Tensor]]:
    """What the detector should say about each of the chosen scenes."""
    side = scenes.pictures.shape[1] // STRIDE
    found = []
    for number in chosen.tolist():
        objects = torch.from_numpy(scenes.objects[scenes.objects[:, 0] == number].astype(np.int64))
        found.append(heat_target(objects[:, 1], objects[:, 2:].float(), len(NOUNS), (side, side)))
    return found


@torch.no_grad()
def accuracy(model: EmojiDetector, pictures: Tensor, scenes: DrawnScenes) -> tuple[float, float]:
    """Share of scenes that are counted exactly, noun by noun, and share of objects too many, too few or misnamed.

    Args:
        pictures: (S, 3, H, W) pixels in -1..1 of the scenes, perhaps changed.
    """
    exact, wrong = 0, 0
    for start in range(0, len(pictures), 50):
        for number, found in enumerate(detections(model(pictures[start : start + 50])), start):
            there = Counter(scenes.objects[scenes.objects[:, 0] == number][:, 1].tolist())
            counted = Counter(one.noun for one in found)
            missed, invented = (there - counted).total(), (counted - there).total()
            exact += missed == invented == 0
            wrong += max(missed, invented)
    return exact / len(pictures), wrong / len(scenes.objects)


def begun(given: argparse.Namespace) -> SteppedRun:
    """The run that the command line asks for."""
    torch.manual_seed(given.seed)
    model = EmojiDetector(len(NOUNS)).to(memory_format=torch.channels_last)
    optimiser = torch.optim.AdamW(model.parameters(), weight_decay=1e-4)
    rate = partial(learning_rate, steps=given.steps, peak=PEAK_RATE)
    return SteppedRun(model, optimiser, given.out, "decider", given.steps, rate, longest=5.0)


def train(run: SteppedRun, given: argparse.Namespace) -> None:
    """Train to the last step."""
    autoencoder, statistics = load_emoji_autoencoder(given.autoencoder)
    reader = chunks_of(given, COLLECTION)

    def gradient(step: int) -> float:
        generator, scenes = torch.Generator().manual_seed(given.seed * 1_000_003 + step), reader.at(step)
        chosen = torch.randint(len(scenes.pictures), (given.batch,), generator=generator)
        pixels = to_pixels(torch.from_numpy(scenes.pictures[chosen.numpy()]))
        pixels = varied(pixels, autoencoder, statistics["std"], generator)
        pixels = pixels.contiguous(memory_format=torch.channels_last)
        loss = detector_loss(run.model, pixels, targets_of(scenes, chosen))
        loss.backward()
        return loss.item()

    run.train(gradient)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--autoencoder", type=Path, default=AUTOENCODER_WEIGHTS)
    parser.add_argument("--steps", type=int, default=2500)
    parser.add_argument("--batch", type=int, default=16)
    parser.add_argument("--chunks", type=int, default=8, help="of drawn scenes to train on")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="scenes in a chunk")
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args(arguments)
    run = begun(given)
    train(run, given)
    model = run.model.eval()
    weights = halved(model.state_dict())
    save_file(weights, given.out / "emoji_decider.safetensors", {"nouns": json.dumps(NOUNS)})
    model.load_state_dict(
        {name: value.float() if value.is_floating_point() else value for name, value in weights.items()}
    )
    scenes = chunk(given.out / "drawn", HELD_OUT, 0, given.chunk)
    pixels = to_pixels(torch.from_numpy(scenes.pictures))
    autoencoder, statistics = load_emoji_autoencoder(given.autoencoder)
    generator = torch.Generator().manual_seed(given.seed)
    back = [through_autoencoder(autoencoder, statistics["std"], some, 0.2, generator) for some in pixels.split(50)]
    for name, pictures in (("drawn", pixels), ("through the autoencoder with noise 0.2", torch.cat(back))):
        exact, wrong = accuracy(model, pictures, scenes)
        run.say(f"{len(pixels)} held-out scenes {name}: {exact:.1%} exact, {wrong:.2%} of objects wrong")


if __name__ == "__main__":
    main()
