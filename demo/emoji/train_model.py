"""Trains an Emoji diffusion model: `python -m demo.emoji.train_model unet --out .cache/emoji`.

Needs the autoencoder that `demo.emoji.export_autoencoder` writes. Goes on from FOLDER/NAME_training.pt where there is one; else
`--start FILE` goes on from half-precision weights such as demo/weights/emoji_unet.safetensors, at the step that the file names,
with an optimiser that has to find its way again. `--minutes` ends a run early, saved, so that the same command goes on with it.
Every random choice hangs on --seed and the step, so a resumed run draws what one uninterrupted run would have drawn.

Objective: rectified flow, as `demo.train_shapes` has it. The batch is worked out in `--parts` side by side, a thread each: set
OMP_NUM_THREADS=1. Two parts are faster on two idle cores; one costs less work, so it is faster where the cores are shared.
"""

from __future__ import annotations

import argparse
import math
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import save_file

from ..train_shapes import Bank, averaged_weights, halved, learning_rate, part_of
from ..training_run import Training
from .bank import latent_bank
from .drawn import CHUNK
from .parts import gradient_in_parts
from .recipes import RECIPES, Recipe

# demo.train_shapes has put the pack on the import path
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS, load_emoji_autoencoder  # isort: skip
from headcount.bridge.gradients.differentiable import training_kernels  # isort: skip

STEPS_BETWEEN_LINES, STEPS_BETWEEN_SAVES = 25, 100
STEPS_TO_WARM_UP_AGAIN = 100


def new_training(recipe: Recipe, seed: int, start: Path | None = None) -> Training:
    """A fresh model, or one with the weights of a finished file, which says in its metadata after which step it was written."""
    torch.manual_seed(seed)
    model, step = recipe.begin(), 0
    if start:
        model.diffusion_model.load_state_dict(part_of(start, "diffusion_model."))
        model.text.load_state_dict(part_of(start, "text_encoder.clip_l.transformer."))
        with safe_open(start, "pt") as kept:
            step = int((kept.metadata() or {}).get("step", 0))
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, betas=(0.9, 0.95), weight_decay=1e-3)
    return Training(model, optimiser, [value.detach().clone() for value in parameters], recipe.decay, step)


def export(training: Training, file: Path) -> None:
    """Write the averaged weights, in half precision, and the step."""
    save_file(halved(averaged_weights(training.model, training.ema)), file, {"step": str(training.step)})


def train(training: Training, recipe: Recipe, bank: Bank, given: argparse.Namespace, until: float) -> None:
    """Train to the last step, or until the time is over, saving on the way."""
    parameters, pool = list(training.model.parameters()), ThreadPoolExecutor(given.parts)
    average, first, began = math.nan, training.step, time.monotonic()
    fresh = first > 0 and not training.optimiser.state
    while training.step < recipe.steps and time.monotonic() < until:
        numbers = range(given.parts * training.step, given.parts * (training.step + 1))
        generators = [torch.Generator().manual_seed(given.seed * 1_000_003 + number) for number in numbers]
        losses = [partial(recipe.loss, training.model, bank, one, recipe.batch // given.parts) for one in generators]
        loss = gradient_in_parts(pool, parameters, losses)
        again = min(1.0, (training.step - first + 1) / STEPS_TO_WARM_UP_AGAIN) if fresh else 1.0
        training.follow_gradient(again * learning_rate(training.step, recipe.steps, recipe.rate))
        average = loss if math.isnan(average) else 0.98 * average + 0.02 * loss
        if training.step % STEPS_BETWEEN_LINES == 0:
            each = (time.monotonic() - began) / (training.step - first)
            _say(given, f"step {training.step} loss {average:.4f} seconds per step {each:.2f}")
        if training.step % STEPS_BETWEEN_SAVES == 0:
            _keep(training, given)
    pool.shutdown()


def _keep(training: Training, given: argparse.Namespace) -> None:
    training.save(given.out / f"{given.model}_training.pt")
    export(training, given.out / f"emoji_{given.model}.safetensors")


def _say(given: argparse.Namespace, line: str) -> None:
    with open(given.out / f"{given.model}.log", "a") as log:
        log.write(line + "\n")
    print(line, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    began = time.monotonic()
    given = _parser().parse_args(arguments)
    names = ("steps", "batch", "rate")
    recipe = RECIPES[given.model]
    recipe = replace(recipe, **{name: value for name in names if (value := getattr(given, name)) is not None})
    given.out.mkdir(parents=True, exist_ok=True)
    autoencoder, statistics = load_emoji_autoencoder(given.autoencoder)
    named = {f"latent.{name}": value for name, value in statistics.items()}
    bank = latent_bank(autoencoder, named, given.out, given.chunks, given.chunk)
    saved = given.out / f"{given.model}_training.pt"
    training = new_training(recipe, given.seed, None if saved.is_file() else given.start)
    if saved.is_file():
        training.load(saved)
    millions = sum(value.numel() for value in training.ema) / 1e6
    _say(given, f"{millions:.2f} million parameters, {len(bank.latents)} scenes, from step {training.step}")
    with training_kernels():
        train(training, recipe, bank, given, began + given.minutes * 60)
    _keep(training, given)
    left = "" if training.step >= recipe.steps else ": the same command goes on"
    _say(given, f"{training.step} of {recipe.steps} steps done{left}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", choices=tuple(RECIPES))
    parser.add_argument("--out", type=Path, required=True, help="folder of drawn scenes, latents and the run")
    parser.add_argument("--autoencoder", type=Path, default=AUTOENCODER_WEIGHTS)
    parser.add_argument("--start", type=Path, help="half-precision weights to go on from")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after them")
    parser.add_argument("--steps", type=int, help="default: the recipe's, as batch and rate")
    parser.add_argument("--batch", type=int)
    parser.add_argument("--rate", type=float, help="peak learning rate")
    parser.add_argument("--parts", type=int, default=2, help="of a batch, worked out side by side")
    parser.add_argument("--chunks", type=int, default=24, help="of drawn scenes to train on")
    parser.add_argument("--chunk", type=int, default=CHUNK, help="scenes in a chunk")
    parser.add_argument("--seed", type=int, default=0)
    return parser


if __name__ == "__main__":
    main()
