"""Trains the counter of a demo world, a small T2ICount: `python -m demo.train_counter shapes --out FOLDER`, or `emoji`.

Losses, optimiser and loop are those of `training`, begun from the world's diffusion model; FOLDER is a run folder of it, and
a run that was stopped goes on. Unlike a data set, drawn scenes are known whole: a noun that a picture is asked for at
random, and the quarters of a mosaic, are labelled with what is there. FOLDER/shapes_counter.safetensors (or emoji_counter) is
the best network so far at 8 and 16 bits, as `Load T2ICount Model` reads it.
"""

from __future__ import annotations

import argparse
import random
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR
from transformers import get_cosine_with_min_lr_schedule_with_warmup

from training.pack import register_pack

register_pack()
from headcount.core.emoji.autoencoder import EmojiAutoencoder  # noqa: E402
from headcount.core.shapes.autoencoder import ShapesAutoencoder  # noqa: E402
from headcount.core.t2icount.config import plain_backbone  # noqa: E402
from headcount.core.t2icount.counting import CountSettings  # noqa: E402
from headcount.core.t2icount.examples import Examples, mosaic, mosaic_crop  # noqa: E402
from headcount.core.t2icount.losses import LossSettings  # noqa: E402
from headcount.core.t2icount.network import CountNetwork  # noqa: E402
from headcount.core.t2icount.transform import Labelled  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402

from training.counted_pictures import CountedPicture  # noqa: E402
from training.counter_training import CounterTraining, Report  # noqa: E402
from training.evaluation import validation_of  # noqa: E402
from training.fresh_decoder import begin_decoder  # noqa: E402
from training.options import noun_tokens  # noqa: E402
from training.run_folder import CONFIG_ENTRY, RunFolder  # noqa: E402
from training.settings import TrainSettings  # noqa: E402
from training.start import EMOJI_MODEL, SHAPES_MODEL, Source, read_weights, taken_over  # noqa: E402

from .count_scenes import CountScenes, Recipe, density_of, emoji_scene, make_scenes, redrawn, rich_scene  # noqa: E402
from .emoji.vocabulary import PLURALS as EMOJI_PLURALS  # noqa: E402
from .shapes import PLURALS  # noqa: E402

SCENES, VALIDATION_SCENES = 2400, 64
BATCHES_BETWEEN_SAVES = 50
SHAPE_WEIGHT = 0.3  # the published 0.1 takes the density off other shapes slowly
BACKGROUND_WEIGHT = (
    0.02  # published: 0. With 0.1 a fresh decoder learns to predict nothing, from which it never returns
)
SIMILARITY_WEIGHT = 0.1  # the published 0.01 leaves a network of this size with similarities of 1 everywhere for long
_AUTOENCODER = "first_stage_model."
_OWN_SHARE, _ANY_SHARE = 0.5, 0.25  # as the published training has them
_WARM_UP, _LAST_RATE = 0.02, 0.02
_REDRAWN_SHARE = 0.5
_MOSAIC_PICTURES = 4


@dataclass(frozen=True)
class World:
    """A demo world whose objects a counter learns to count.

    Attributes:
        source: the diffusion model that the network begins with.
        weights: its files.
        autoencoder: of it.
        recipe: of the scenes that the network learns from.
        plurals: of every noun that the recipe knows.
    """

    source: Source
    weights: tuple[Path, ...]
    autoencoder: Callable[[], nn.Module]
    recipe: Recipe
    plurals: Mapping[str, str]

    def scenes(self, how_many: int, seed: int) -> CountScenes:
        """`how_many` drawn ones."""
        return make_scenes(self.recipe, how_many, seed, self.plurals)

    def state(self) -> dict[str, Tensor]:
        """The diffusion model's weights by name."""
        return {name: value for file in self.weights for name, value in read_weights(file).items()}


_WEIGHTS = Path(__file__).parent / "weights"
WORLDS = {
    "shapes": World(SHAPES_MODEL, (_WEIGHTS / "shapes.safetensors",), ShapesAutoencoder, rich_scene, PLURALS),
    "emoji": World(
        EMOJI_MODEL,
        (_WEIGHTS / "emoji_unet.safetensors", _WEIGHTS / "emoji_autoencoder.safetensors"),
        EmojiAutoencoder,
        emoji_scene,
        EMOJI_PLURALS,
    ),
}
SHAPES_WORLD = WORLDS["shapes"]


@dataclass(frozen=True)
class KnownExamples(Examples):
    """Examples out of scenes of which everything is known."""

    pictures: CountScenes

    def _labelled(self, index: int, chance: random.Random) -> Labelled:
        kind, noun = chance.random(), self.pictures.scenes[index].noun
        if kind < _OWN_SHARE:
            return self._asked_for(index, noun)
        if kind < _OWN_SHARE + _ANY_SHARE:
            return self._asked_for(index, chance.choice(tuple(self.pictures.plurals)))
        indices = [index, *(chance.randrange(len(self)) for _ in range(_MOSAIC_PICTURES - 1))]
        return mosaic([self._asked_for(one, noun) for one in indices], mosaic_crop(self.config), chance)

    def _asked_for(self, index: int, noun: str) -> Labelled:
        scene = self.pictures.scenes[index]
        density = torch.from_numpy(density_of(scene, noun))
        region = torch.full_like(density, float(scene.count(noun) > 0))
        return Labelled(torch.from_numpy(scene.picture), density, region, self.pictures.plurals[noun])


def schedule(optimiser: Optimizer, steps: int) -> LambdaLR:
    """Of the learning rates: 2 % of the steps warm up, then a cosine comes down to 2 %."""
    warm_up = round(_WARM_UP * steps)
    return get_cosine_with_min_lr_schedule_with_warmup(optimiser, warm_up, steps, min_lr_rate=_LAST_RATE)


def settings_of(epochs: int, seed: int = 0) -> TrainSettings:
    """A network of this size bears, and needs, higher rates than the published one."""
    return TrainSettings(
        epochs=epochs,
        rate=6e-4,
        unet_share=0.5,
        schedule=schedule,
        largest_gradient=1.0,
        validate_from=1,
        precision="bf16",
        checkpointing=False,
        seed=seed,
        loss=LossSettings(
            shape_weight=SHAPE_WEIGHT, similarity_weight=SIMILARITY_WEIGHT, background_weight=BACKGROUND_WEIGHT
        ),
    )


def begun_network(seed: int, semantic: bool = True, world: World = SHAPES_WORLD) -> CountNetwork:
    """The world's diffusion model with a fresh decoder; without `semantic`, the paper's plain backbone."""
    network = taken_over(world.source, world.state(), world.weights[0], seed)
    if not semantic:
        network.config = plain_backbone(network.config)
        begin_decoder(network, seed)
    return network


def scenes_to_learn(world: World, how_many: int, seed: int) -> CountScenes:
    """Scenes, half of them as the world's diffusion model would draw them."""
    weights, autoencoder = world.state(), world.autoencoder().eval()
    own = {name.removeprefix(_AUTOENCODER): v.float() for name, v in weights.items() if name.startswith(_AUTOENCODER)}
    autoencoder.load_state_dict(own)
    return redrawn(world.scenes(how_many, seed), autoencoder, weights["latent.std"].float(), _REDRAWN_SHARE, seed)


def counted_pictures(scenes: CountScenes) -> list[CountedPicture]:
    """Scenes with the true count of the noun that each is asked for."""
    return [
        CountedPicture(
            str(index), scenes.plurals[scene.noun], scene.count(scene.noun), lambda scene=scene: scene.picture
        )
        for index, scene in enumerate(scenes.scenes)
    ]


def write_counter(network_file: Path, path: Path, configuration: str) -> None:
    """A checkpoint of a run, small: the U-Net's matrices in 8 bits, which moves counts by hundredths, the rest in 16."""
    state = {name: _small(name, value) for name, value in load_file(network_file).items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    save_file(state, path, {CONFIG_ENTRY: configuration})


def _small(name: str, value: Tensor) -> Tensor:
    if name.startswith("unet.") and value.ndim > 1:
        return value.to(torch.float8_e4m3fn)
    return value.half() if value.is_floating_point() else value


@dataclass
class _Diary:
    """Writes what the training reports to a log and to the standard output, and networks now and then."""

    training: CounterTraining
    folder: RunFolder
    start: float

    def __call__(self, report: Report) -> None:
        progress = report.progress
        if report.validated is not None:
            row = progress.rows[-1]
            self._say(
                f"epoch {row['epoch']} loss {row['loss']:.4f} density {row['regression']:.4f} similarity "
                f"{row['coarse_similarity']:.3f} {row['fine_similarity']:.3f} held-out MAE {report.validated.mae:.3f} "
                f"RMSE {report.validated.rmse:.3f}"
            )
            name = self.training.network.config.name
            write_counter(self.folder.best, self.folder.path / f"{name}_counter.safetensors", name)
        elif progress.batches and progress.batches % BATCHES_BETWEEN_SAVES == 0:
            means = " ".join(f"{progress.mean(name):.4f}" for name in ("loss", "regression", "fine_similarity"))
            self._say(f"  epoch {progress.epoch} batch {progress.batches} so far {means}")
            self.folder.write_network(self.training.network, self.folder.last)

    def _say(self, line: str) -> None:
        line += f" minutes {(time.monotonic() - self.start) / 60:.1f}"
        with (self.folder.path / "counter.log").open("a") as log:
            log.write(line + "\n")
        print(line, flush=True)


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("world", choices=tuple(WORLDS))
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=8)
    parser.add_argument("--scenes", type=int, default=SCENES, help="to learn from, once per epoch")
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    world, folder = WORLDS[arguments.world], RunFolder(arguments.out)
    network = begun_network(arguments.seed, world=world)
    scenes = scenes_to_learn(world, arguments.scenes, arguments.seed)
    held_out = counted_pictures(scenes_to_learn(world, VALIDATION_SCENES, arguments.seed + 1))
    validate = validation_of(held_out, CountSettings(scale="native"), lambda done, total: None)
    settings = settings_of(arguments.epochs, arguments.seed)
    training = CounterTraining(network, noun_tokens(None, network.config), scenes, settings, folder, validate)
    training.examples = KnownExamples(scenes, network.config, arguments.seed)

    arguments.out.mkdir(parents=True, exist_ok=True)
    training.fit(_Diary(training, folder, time.monotonic()))


if __name__ == "__main__":
    main()
