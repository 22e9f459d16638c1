"""The demo worlds that effects are measured in: a model, the counter that nodes ask, and another one that judges.

Import this after `demo.comfy_host.import_comfyui`, which decides what ComfyUI runs on.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from headcount.bridge.demo_models.emoji import (
    AUTOENCODER_WEIGHTS,
    FEW_STEP_WEIGHTS,
    TRANSFORMER_WEIGHTS,
    UNET_WEIGHTS,
    load_emoji_few_step,
    load_emoji_transformer,
    load_emoji_unet,
)
from headcount.bridge.demo_models.emoji_counter import DECIDER_WEIGHTS, load_emoji_counter
from headcount.bridge.demo_models.files import WEIGHTS, load_shapes_model
from headcount.core.errors import CountError

from demo.emoji.judge import JUDGE_WEIGHTS, load_judge
from demo.emoji.scenes import random_scene as emoji_scene
from demo.emoji.vocabulary import PLURALS as EMOJI_PLURALS
from demo.exact_counter import ExactCounter
from demo.scenes import Kind
from demo.scenes import random_scene as shapes_scene
from demo.shapes import PLURALS as SHAPES_PLURALS

from . import alike_seeds, erring_counter
from .counters import SHIPPED_COUNTER, t2icount_counter
from .prompt_files import PromptRow
from .sampling import SHAPES_SAMPLING, KSamplerSettings
from .store import file_digest
from .world_pictures import Pictures, kinds_of, latent_features, shapes_features


@dataclass(frozen=True)
class Source:
    """Something that is read from files, when it is needed.

    Attributes:
        load: reads it.
        files: what decides it; none for a program.
    """

    load: Callable[[], Any]
    files: tuple[Path, ...] = ()

    @property
    def digest(self) -> str:
        """Of the contents of its files."""
        return file_digest(*self.files) if self.files else "a program"


@dataclass(frozen=True)
class World:
    """Everything that a measurement needs.

    Attributes:
        family: of the prompts, see `prompt_files.read_prompts`.
        model: MODEL, CLIP and VAE as attributes.
        decider: the `Counter` that nodes are given.
        judge: the `Counter` of every figure; no node sees it.
        sampling: as the model is to be used.
        plurals: every noun of the world -> its plural.
        tells_colours: the judge counts "red stars" too.
        random_scene: draws a scene of such kinds from random numbers.
        features: (N, D) numbers of pictures, whose distribution says how they look; asked of the loaded model.
    """

    family: str
    model: Source
    decider: Source
    judge: Source
    sampling: KSamplerSettings
    plurals: Mapping[str, str]
    random_scene: Callable[[random.Random, tuple[Kind, ...]], Any]
    features: Callable[[Any, Pictures], np.ndarray]
    tells_colours: bool = False

    def drawn(self, row: PromptRow, rng: random.Random) -> np.ndarray:
        """(H, W, 3) uint8 scene of what a prompt asks for."""
        picture: np.ndarray = self.random_scene(rng, kinds_of(row)).picture
        return picture


def require_files(name: str, world: World) -> None:
    """Make sure that a world's files are there.

    Raises:
        CountError: some are not.
    """
    parts = (world.model, world.decider, world.judge)
    missing = sorted({file.name for part in parts for file in part.files if not file.is_file()})
    if missing:
        raise CountError(
            f"--world {name} needs files that are not there: {', '.join(missing)}. Train them into demo/weights "
            "(demo/emoji/README.md), or give another world"
        )


def _emoji_world(load: Callable[[], Any], *weights: Path, sampling: KSamplerSettings = SHAPES_SAMPLING) -> World:
    return World(
        family="emoji",
        model=Source(load, (*weights, AUTOENCODER_WEIGHTS)),
        decider=Source(load_emoji_counter, (DECIDER_WEIGHTS,)),
        judge=Source(load_judge, (JUDGE_WEIGHTS,)),
        sampling=sampling,
        plurals=EMOJI_PLURALS,
        random_scene=emoji_scene,
        features=latent_features,
    )


def _load_alike() -> Any:
    loaded = load_emoji_unet()
    return replace(loaded, model=alike_seeds.with_alike_seeds(loaded.model))


def _alike_world() -> World:
    """The emoji model as a distilled one is: few steps, and seeds that look alike."""
    few = KSamplerSettings(steps=10, cfg=3.0, sampler="euler", scheduler="simple", size=128)
    world = _emoji_world(_load_alike, UNET_WEIGHTS, sampling=few)
    return replace(world, model=Source(_load_alike, (*world.model.files, Path(alike_seeds.__file__))))


def _erring_world() -> World:
    """The emoji model with a decider that errs; the judge is the same."""
    world = _emoji_world(load_emoji_unet, UNET_WEIGHTS)
    files = (*world.decider.files, Path(erring_counter.__file__))
    return replace(world, decider=Source(lambda: erring_counter.ErringCounter(load_emoji_counter()), files))


WORLDS = {
    "emoji": _emoji_world(load_emoji_unet, UNET_WEIGHTS),
    "emoji_transformer": _emoji_world(load_emoji_transformer, TRANSFORMER_WEIGHTS),
    "emoji_few_step": _emoji_world(
        load_emoji_few_step,
        FEW_STEP_WEIGHTS,
        UNET_WEIGHTS,
        sampling=KSamplerSettings(steps=8, cfg=1.0, sampler="euler", scheduler="simple", size=128),
    ),
    "emoji_alike": _alike_world(),
    "emoji_erring": _erring_world(),
    "shapes": World(
        family="shapes",
        model=Source(load_shapes_model, (WEIGHTS,)),
        decider=Source(lambda: t2icount_counter(SHIPPED_COUNTER), (SHIPPED_COUNTER,)),
        judge=Source(ExactCounter),
        sampling=SHAPES_SAMPLING,
        plurals=SHAPES_PLURALS,
        random_scene=shapes_scene,
        features=shapes_features,
        tells_colours=True,
    ),
}
