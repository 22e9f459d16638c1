"""Trains a detector of the Emoji world: `python -m demo.emoji.train_detector decider --out .cache/emoji`, or `judge`.

The decider counts where a node or a workflow needs a counter; the judge only measures. Each sees drawn scenes of its own
collection, as they are, softened, and through the autoencoder with noise on the latents, which is how generated pictures look.
Ends with its accuracy on held-out scenes, drawn and through the autoencoder.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from ..step_training import Plan, StepTraining, changed, deadline_of, generator_of, new_parser
from ..train_shapes import halved, part_of
from .drawn import DrawnScenes, all_scenes, chunk, chunk_options
from .judge import EmojiJudge
from .train_autoencoder import HELD_OUT
from .vocabulary import NOUNS

# demo.train_shapes has put the pack on the import path
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS, load_emoji_autoencoder  # isort: skip
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # isort: skip
from headcount.core.emoji.detector import STRIDE, EmojiDetector, box_loss, detections, heat_loss, targets_of  # isort: skip
from headcount.core.shapes.autoencoder import to_pixels  # isort: skip

PLANS = {
    "decider": Plan(steps=8000, batch=64, rate=2e-3, max_gradient_norm=5.0),
    "judge": Plan(steps=10000, batch=64, rate=6e-4, weight_decay=0.02),
}
DETECTORS: dict[str, Callable[[int], nn.Module]] = {"decider": EmojiDetector, "judge": EmojiJudge}
SEEDS = {"decider": 1, "judge": 2}
LATENT_NOISE = 0.4  # most of it, in standard deviations of the latents


@torch.no_grad()
def through_autoencoder(
    autoencoder: EmojiAutoencoder, std: Tensor, pixels: Tensor, noise: float, generator: torch.Generator
) -> Tensor:
    """Pixels (B, 3, H, W) coded and decoded, with noise on the latents in units of their standard deviations `std` (C,)."""
    latent = autoencoder.encode(pixels)
    added = torch.randn(latent.shape, generator=generator, device=latent.device) * std.view(1, -1, 1, 1)
    return autoencoder.decode(latent + noise * added).clamp(-1, 1)


def varied(pixels: Tensor, autoencoder: EmojiAutoencoder, std: Tensor, generator: torch.Generator) -> Tensor:
    """A third each as drawn, softened, and through the autoencoder with noise."""
    where = {"generator": generator, "device": pixels.device}
    kind = torch.rand((), **where)
    if kind < 1 / 3:
        return pixels
    if kind < 2 / 3:
        small = nn.functional.avg_pool2d(pixels, 2)
        soft = nn.functional.interpolate(small, scale_factor=2.0, mode="bilinear")
        return soft + 0.03 * torch.randn(pixels.shape, **where)
    noise = LATENT_NOISE * float(torch.rand((), **where))
    return through_autoencoder(autoencoder, std, pixels, noise, generator)


def object_table(scenes: DrawnScenes) -> tuple[Tensor, Tensor]:
    """(S, M) nouns of the scenes' objects, -1 where a scene has fewer, and (S, M, 4) their boxes."""
    scene = scenes.objects[:, 0].astype(np.int64)
    counts = np.bincount(scene, minlength=len(scenes.pictures))
    place = np.arange(len(scene)) - np.repeat(counts.cumsum() - counts, counts)  # the objects stand scene by scene
    nouns = np.full((len(counts), counts.max(initial=1)), -1, dtype=np.int64)
    boxes = np.zeros((*nouns.shape, 4), dtype=np.float32)
    nouns[scene, place], boxes[scene, place] = scenes.objects[:, 1], scenes.objects[:, 2:]
    return torch.from_numpy(nouns), torch.from_numpy(boxes)


def mirrored(pixels: Tensor, boxes: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures (B, 3, H, W) from the other side, and the boxes (B, M, 4) of what they show."""
    left, top, width, height = boxes.unbind(-1)
    return pixels.flip(3), torch.stack([pixels.shape[3] - left - width, top, width, height], -1)


def detector_loss(model: nn.Module, pixels: Tensor, nouns: Tensor, boxes: Tensor) -> Tensor:
    """Loss of a batch: pixels (B, 3, H, W), and its part of `object_table`."""
    with torch.autocast(pixels.device.type, torch.bfloat16):
        output = model(pixels)
    output, kinds = output.float(), len(NOUNS)
    targets = targets_of(nouns, boxes, kinds, (pixels.shape[2] // STRIDE, pixels.shape[3] // STRIDE))
    return heat_loss(output[:, :kinds], targets.heat) + box_loss(output[:, kinds:], targets)


@torch.no_grad()
def accuracy(model: nn.Module, pictures: Tensor, scenes: DrawnScenes) -> tuple[float, float]:
    """Share of scenes that are counted exactly, noun by noun, and share of objects too many, too few or misnamed.

    Args:
        pictures: (S, 3, H, W) pixels in -1..1 of the scenes, perhaps changed.
    """
    exact, wrong = 0, 0
    for start in range(0, len(pictures), 50):
        for number, found in enumerate(detections(model(pictures[start : start + 50])), start):
            there = Counter(scenes.objects[scenes.objects[:, 0] == number][:, 1].tolist())
            counted = Counter(one.noun for one in found)
            missing, added = (there - counted).total(), (counted - there).total()
            exact += there == counted
            wrong += max(missing, added)  # a misnamed object is one of each
    return exact / len(pictures), wrong / len(scenes.objects)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    parser = new_parser(__doc__)
    chunk_options(parser, 20)
    parser.add_argument("detector", choices=tuple(DETECTORS))
    parser.add_argument("--autoencoder", type=Path, default=AUTOENCODER_WEIGHTS)
    parser.add_argument("--start", type=Path, help="half-precision weights to begin with")
    given = parser.parse_args(arguments)
    name, given.seed = given.detector, given.seed + SEEDS[given.detector]
    torch.manual_seed(given.seed)
    until, plan = deadline_of(given), changed(PLANS[name], given)
    model = DETECTORS[name](len(NOUNS))
    if given.start:
        model.load_state_dict(part_of(given.start, ""))
    model.to(given.device, memory_format=torch.channels_last)
    run = StepTraining(model, given.out, name, plan)
    autoencoder, statistics = load_emoji_autoencoder(given.autoencoder)
    autoencoder, std = autoencoder.to(given.device), statistics["std"].to(given.device)
    scenes = all_scenes(given.out / "drawn", name, given.chunks, given.chunk)
    pictures, nouns, boxes = (
        one.to(given.device) for one in (torch.from_numpy(scenes.pictures), *object_table(scenes))
    )

    def loss_of(step: int) -> Tensor:
        generator = generator_of(step, given)
        chosen = torch.randint(len(pictures), (plan.batch,), generator=generator, device=pictures.device)
        pixels, wanted = to_pixels(pictures[chosen]), boxes[chosen]
        if step % 2:
            pixels, wanted = mirrored(pixels, wanted)
        pixels = varied(pixels, autoencoder, std, generator).contiguous(memory_format=torch.channels_last)
        return detector_loss(model, pixels, nouns[chosen], wanted)

    run.train(loss_of, until)
    weights = halved(run.trainer.averaged.state_dict())
    save_file(weights, given.out / f"emoji_{name}.safetensors", {"nouns": json.dumps(NOUNS)})
    _say_accuracy(run, weights, autoencoder, std, chunk(given.out / "drawn", HELD_OUT, 0, given.chunk))


def _say_accuracy(
    run: StepTraining, weights: dict[str, Tensor], autoencoder: EmojiAutoencoder, std: Tensor, scenes: DrawnScenes
) -> None:
    """The accuracy of the half-precision weights on held-out scenes."""
    model = run.trainer.averaged.eval()
    model.load_state_dict(weights)
    pixels = to_pixels(torch.from_numpy(scenes.pictures).to(std.device))
    generator = torch.Generator(std.device).manual_seed(0)
    back = [through_autoencoder(autoencoder, std, some, 0.2, generator) for some in pixels.split(50)]
    for name, pictures in (("drawn", pixels), ("through the autoencoder with noise 0.2", torch.cat(back))):
        exact, wrong = accuracy(model, pictures, scenes)
        run.say(f"{len(pixels)} held-out scenes {name}: {exact:.1%} exact, {wrong:.2%} of objects wrong")


if __name__ == "__main__":
    main()
