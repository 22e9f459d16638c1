"""Trains the Shapes video model: `python -m demo.train_shapes_video --out output/shapes_video`.

Begins with the autoencoder and the text encoder of the Shapes model (`--start`) and a fresh Wan transformer, and goes on from
FOLDER/video_training.pt where there is one. On a GPU that is a model of 9 million parameters with a token for each latent
pixel; on a CPU, where it takes a night, one of 4 million with a token for four of them. `--minutes` ends a run early, saved,
so that the same command goes on with it.

Objective and scheme are those of `demo.train_shapes`. Every random choice hangs on --seed and the step number, so a resumed
run draws what one uninterrupted run would have drawn.
"""

from __future__ import annotations

import argparse
import math
import time
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from .comfy_host import import_comfyui

import_comfyui("--cpu")
from headcount.bridge.demo_models.files import WEIGHTS  # noqa: E402
from headcount.bridge.demo_models.video_size import VideoSize  # noqa: E402
from headcount.bridge.demo_models.video_text import ENCODER  # noqa: E402
from headcount.bridge.demo_models.weights import LATENT, PICTURES, TEXT  # noqa: E402
from headcount.core.shapes.autoencoder import ShapesAutoencoder  # noqa: E402
from safetensors.torch import save_file  # noqa: E402

from .train_shapes import learning_rate, part_of  # noqa: E402
from .training_run import Training  # noqa: E402
from .video_bank import BankPlan, ClipBank, clip_bank  # noqa: E402
from .video_scenes import FRAMES  # noqa: E402
from .video_trainee import VideoTrainee, start_text, training_loss  # noqa: E402

EMA_DECAY = 0.999
STEPS_BETWEEN_SAVES = 250
STEPS_BETWEEN_LINES = 25
_OLD_TEXT = TEXT + "clip_l.transformer."


@dataclass(frozen=True)
class Recipe:
    """How to train.

    Attributes:
        size: of the model.
        steps: after which the learning rate has come down; of `batch` clips each.
        rate: peak learning rate.
        clips: in the bank.
    """

    size: VideoSize
    steps: int
    batch: int
    rate: float
    clips: int


SIZES = {"large": VideoSize(), "small": VideoSize(width=192, hidden=768, layers=6, patch=2)}
RECIPES = {
    "cuda": Recipe(SIZES["large"], steps=7000, batch=64, rate=8e-4, clips=50000),
    "cpu": Recipe(SIZES["small"], steps=12000, batch=16, rate=8e-4, clips=8000),
}


def new_training(size: VideoSize, bank: ClipBank, start: Path, seed: int, device: torch.device) -> Training:
    """A fresh transformer, and the text encoder of the Shapes model in `start`."""
    torch.manual_seed(seed)
    model = VideoTrainee(size)
    start_text(model.text, part_of(start, _OLD_TEXT), torch.unique(bank.tokens.cpu()))
    model.to(device)
    parameters = list(model.parameters())
    optimiser = torch.optim.AdamW(parameters, betas=(0.9, 0.95), weight_decay=1e-3)
    return Training(model, optimiser, [value.detach().clone() for value in parameters], EMA_DECAY)


def export(training: Training, start: Path, file: Path) -> None:
    """Write the averaged weights as the fp16 safetensors file that Load Shapes Video Model reads."""
    state = dict(training.model.state_dict())
    names = [name for name, _ in training.model.named_parameters()]
    state.update(zip(names, training.ema, strict=True))
    text = f"{TEXT}{ENCODER}."
    out = {f"{text}transformer.{name[5:]}" if name.startswith("text.") else name: v for name, v in state.items()}
    out[f"{text}logit_scale"] = torch.tensor(4.6055)
    out.update({PICTURES + name: value for name, value in part_of(start, PICTURES).items()})
    out = {name: (v.half() if v.is_floating_point() else v).cpu().contiguous() for name, v in out.items()}
    save_file({**out, **{LATENT + name: value for name, value in part_of(start, LATENT).items()}}, file)


def train(training: Training, bank: ClipBank, given: argparse.Namespace, recipe: Recipe, until: float) -> None:
    """Train to the last step, or until the time is over."""
    loss_of = torch.compile(training.model) if given.compile else training.model
    average, counted, began = math.nan, training.step, time.monotonic()
    while training.step < recipe.steps and time.monotonic() < until:
        generator = torch.Generator(bank.latents.device).manual_seed(given.seed * 1_000_003 + training.step)
        loss = training_loss(loss_of, bank, generator, recipe.batch)
        training.take_step(loss, learning_rate(training.step, recipe.steps, recipe.rate))
        average = loss.item() if math.isnan(average) else 0.98 * average + 0.02 * loss.item()
        if training.step % STEPS_BETWEEN_LINES == 0:
            each = (time.monotonic() - began) / (training.step - counted)
            _say(given.out, f"step {training.step} loss {average:.4f} seconds per step {each:.3f}")
        if training.step % STEPS_BETWEEN_SAVES == 0:
            training.save(given.out / "video_training.pt")


def _say(folder: Path, line: str) -> None:
    with open(folder / "video.log", "a") as log:
        log.write(line + "\n")
    print(line, flush=True)


def main(arguments: list[str] | None = None) -> None:
    """Run from the command line."""
    began = time.monotonic()
    given = _parser().parse_args(arguments)
    recipe, device = _recipe(given), torch.device(given.device)
    given.out.mkdir(parents=True, exist_ok=True)
    autoencoder = ShapesAutoencoder().eval()
    autoencoder.load_state_dict(part_of(given.start, PICTURES))
    plan = BankPlan(recipe.clips, given.seed, given.frames, given.workers)
    statistics = part_of(given.start, LATENT)
    bank = clip_bank(plan, given.out / "clips.safetensors", autoencoder.to(device), statistics, device).to(device)
    training = new_training(recipe.size, bank, given.start, given.seed, device)
    saved = given.out / "video_training.pt"
    if saved.is_file():
        training.load(saved)
    millions = sum(value.numel() for value in training.ema) / 1e6
    _say(given.out, f"{millions:.2f} million parameters, from step {training.step}, {recipe}")
    train(training, bank, given, recipe, began + given.minutes * 60)
    training.save(saved)
    export(training, given.start, given.out / "shapes_video.safetensors")
    left = "" if training.step >= recipe.steps else ": the same command goes on"
    _say(given.out, f"{training.step} of {recipe.steps} steps done{left}")


def _recipe(given: argparse.Namespace) -> Recipe:
    """The device's recipe, with what the command line says otherwise."""
    names = ("steps", "batch", "rate", "clips")
    other = {name: value for name in names if (value := getattr(given, name)) is not None}
    if given.size:
        other["size"] = SIZES[given.size]
    return replace(RECIPES[given.device], **other)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--device", choices=tuple(RECIPES), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--minutes", type=float, default=math.inf, help="stop after them, clips drawn included")
    parser.add_argument("--size", choices=tuple(SIZES), help="default: large on a GPU, small on a CPU")
    parser.add_argument("--steps", type=int, help="default: 7000 on a GPU, 12000 on a CPU")
    parser.add_argument("--batch", type=int, help="clips of a step; default: 64 on a GPU, 16 on a CPU")
    parser.add_argument("--rate", type=float, help="peak learning rate")
    parser.add_argument("--clips", type=int, help="drawn once; default: 50000 on a GPU, 8000 on a CPU")
    parser.add_argument("--frames", type=int, default=FRAMES, help="of a clip")
    parser.add_argument("--workers", type=int, default=1, help="processes that draw")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--start", type=Path, default=WEIGHTS, help="the Shapes model")
    parser.add_argument("--compile", action="store_true", help="torch.compile: faster, needs a C++ compiler on a CPU")
    return parser


if __name__ == "__main__":
    main()
