"""Trains an Emoji diffusion model: `python -m demo.emoji.train_model unet --out .cache/emoji`.

Needs the autoencoder that `demo.emoji.export_autoencoder` writes. Objective: rectified flow, as `demo.train_shapes` has it, or
what the recipe says. Goes on from FOLDER/NAME_training.pt where there is one; `--start FILE` begins with half-precision weights
such as demo/weights/emoji_unet.safetensors instead of fresh ones. `--teacher FILE` are those of a recipe's teacher.
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path

import torch
from safetensors.torch import save_file

from training.files import write_whole

from ..step_training import StepTraining, changed, deadline_of, generator_of, new_parser
from ..train_shapes import Trainee, halved, named_weights
from .drawn import chunk_options
from .recipes import RECIPES, Recipe

# demo.train_shapes has put the pack on the import path
from headcount.bridge.demo_models.emoji import AUTOENCODER_WEIGHTS, UNET_WEIGHTS, load_emoji_autoencoder  # isort: skip
from headcount.bridge.gradients.differentiable import training_kernels  # isort: skip


def new_model(recipe: Recipe, device: str, start: Path | None = None, teacher: Path = UNET_WEIGHTS) -> Trainee:
    """A fresh model, or one with the weights of a finished file; it reads as its recipe's teacher does."""
    model = recipe.begin()
    if start:
        model.begin_with(start)
    if recipe.teacher:
        model.read_with(teacher)
    return model.to(device)


def export(run: StepTraining, file: Path) -> None:
    """Write the averaged weights, in half precision, and the step."""
    weights = halved(named_weights(run.trainer.averaged))
    write_whole(file, lambda path: save_file(weights, path, {"step": str(run.trainer.step)}))


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    given = _parser().parse_args(arguments)
    torch.manual_seed(given.seed)
    until, recipe = deadline_of(given), RECIPES[given.model]
    if recipe.begin is recipe.teacher and not given.start:
        raise SystemExit(f"{given.model} is distilled: name its teacher's file with --start")
    plan = changed(recipe.plan, given)
    autoencoder, statistics = load_emoji_autoencoder(given.autoencoder)
    named = {f"latent.{name}": value for name, value in statistics.items()}
    bank = recipe.bank(autoencoder.to(given.device), named, given.out, given.chunks, given.chunk).to(given.device)
    run = StepTraining(new_model(recipe, given.device, given.start, given.teacher), given.out, given.model, plan)
    millions = sum(value.numel() for value in run.trainer.parameters) / 1e6
    run.say(f"{millions:.2f} million parameters, {len(bank.latents)} scenes, from step {run.trainer.step}")
    loss = recipe.loss
    if recipe.teacher:
        teacher = recipe.teacher()
        teacher.begin_with(given.teacher)
        loss = partial(loss, teacher.requires_grad_(False).to(given.device))
    file = given.out / f"emoji_{given.model}.safetensors"

    def loss_of(step: int) -> torch.Tensor:
        return loss(run.model, bank, generator_of(step, given), plan.batch)

    if given.compiled:
        run.model.diffusion_model.compile()
    with training_kernels():
        run.train(loss_of, until, on_save=lambda: export(run, file))


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__)
    chunk_options(parser, 24)
    parser.add_argument("model", choices=tuple(RECIPES))
    parser.add_argument("--autoencoder", type=Path, default=AUTOENCODER_WEIGHTS)
    parser.add_argument("--start", type=Path, help="half-precision weights to begin with")
    parser.add_argument("--compiled", action="store_true", help="a third faster on a CPU, after two minutes; needs g++")
    parser.add_argument(
        "--teacher", type=Path, default=UNET_WEIGHTS, help="half-precision weights of a recipe's teacher"
    )
    return parser


if __name__ == "__main__":
    main()
