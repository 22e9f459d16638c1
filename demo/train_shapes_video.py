"""Trains the Shapes video model: `python -m demo.train_shapes_video --out output/shapes_video`.

Begins with the autoencoder and the text encoder of the Shapes model (`--start`) and a fresh Wan transformer, and goes on from
FOLDER/video_training.pt where there is one. On a GPU that is a model of 9 million parameters with a token for each latent
pixel; on a CPU, where it takes a night, one of 4 million with a token for four of them. `--minutes` ends a run early, saved,
so that the same command goes on with it.

Objective and scheme are those of `demo.train_shapes`.
"""

from __future__ import annotations

import argparse
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .comfy_host import import_comfyui

import_comfyui("--cpu", "--use-pytorch-cross-attention")
from headcount.bridge.demo_models.files import WEIGHTS  # noqa: E402
from headcount.bridge.demo_models.video_size import VideoSize  # noqa: E402
from headcount.bridge.demo_models.video_text import ENCODER  # noqa: E402
from headcount.bridge.demo_models.weights import LATENT, PICTURES  # noqa: E402
from headcount.core.shapes.autoencoder import ShapesAutoencoder  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from .step_training import Plan, StepTraining, changed, deadline_of, generator_of, new_parser  # noqa: E402
from .train_shapes import OLD_TEXT, Bank, halved, known_words, named_weights, part_of  # noqa: E402
from .video_bank import BankPlan, clip_bank  # noqa: E402
from .video_scenes import FRAMES  # noqa: E402
from .video_trainee import VideoTrainee, start_text, training_loss  # noqa: E402


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        size: of the model.
        plan: a step's `batch` is of clips.
        clips: in the bank.
    """

    size: VideoSize
    plan: Plan
    clips: int


SIZES = {"large": VideoSize(), "small": VideoSize(width=192, hidden=768, layers=6, patch=2)}
_PLAN = Plan(steps=7000, batch=64, rate=8e-4, betas=(0.9, 0.95), weight_decay=1e-3)
RECIPES = {
    "cuda": Recipe(SIZES["large"], _PLAN, clips=50000),
    "cpu": Recipe(SIZES["small"], replace(_PLAN, steps=12000, batch=16), clips=8000),
}


def new_model(size: VideoSize, bank: Bank, start: Path) -> VideoTrainee:
    """A fresh transformer, from PyTorch's global generator, and the text encoder of the Shapes model in `start`."""
    model = VideoTrainee(size)
    start_text(model.text, part_of(start, OLD_TEXT), known_words(bank.tokens.cpu()))
    return model


def export(model: VideoTrainee, start: Path, file: Path) -> None:
    """Write the fp16 safetensors file that Load Shapes Video Model reads."""
    out = named_weights(model, ENCODER)
    out.update({PICTURES + name: value for name, value in part_of(start, PICTURES).items()})
    save_file({**halved(out), **{LATENT + name: value for name, value in part_of(start, LATENT).items()}}, file)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    given = _parser().parse_args(arguments)
    torch.manual_seed(given.seed)
    until, recipe = deadline_of(given), _recipe(given)
    autoencoder = ShapesAutoencoder().eval()
    autoencoder.load_state_dict(part_of(given.start, PICTURES))
    plan = BankPlan(recipe.clips, given.seed, given.frames, given.workers)
    device, statistics = torch.device(given.device), part_of(given.start, LATENT)
    bank = clip_bank(plan, given.out / "clips.safetensors", autoencoder.to(device), statistics, device).to(device)
    model = new_model(recipe.size, bank, given.start).to(device)
    run = StepTraining(model, given.out, "video", recipe.plan)
    millions = sum(value.numel() for value in run.trainer.parameters) / 1e6
    run.say(f"{millions:.2f} million parameters, from step {run.trainer.step}, {recipe}")
    run.train(lambda step: training_loss(model, bank, generator_of(step, given), recipe.plan.batch), until)
    export(run.trainer.averaged, given.start, given.out / "shapes_video.safetensors")


def _recipe(given: argparse.Namespace) -> Recipe:
    """The device's recipe, with what the command line says otherwise."""
    usual = RECIPES["cpu" if torch.device(given.device).type == "cpu" else "cuda"]
    size = SIZES[given.size] if given.size else usual.size
    return Recipe(size, changed(usual.plan, given), usual.clips if given.clips is None else given.clips)


def _parser() -> argparse.ArgumentParser:
    parser = new_parser(__doc__)
    parser.add_argument("--size", choices=tuple(SIZES), help="default: large on a GPU, small on a CPU")
    parser.add_argument("--clips", type=int, help="drawn once; default: 50000 on a GPU, 8000 on a CPU")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of a clip")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--start", type=Path, default=WEIGHTS, help="the Shapes model")
    return parser


if __name__ == "__main__":
    main()
