"""Drawn scenes to train and to judge counting networks with: many objects, small or large, and where each of them is.

`CountScenes` is a counting set, as training reads them: every picture is asked for one noun. `emoji_scene` shows one of the
Emoji world. Of shapes, `rich_scene` mixes kinds, numbers and sizes; `ordinary_scene` and `minority_scene` are those of the
paper's comparison, after FSC-147 and FSC-147-S.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from .emoji.scenes import random_scene
from .scenes import SIZE, PlacedShape, draw, light_background
from .shapes import COLOURS, NOUNS, PLURALS, Point

Picture = NDArray[np.uint8]
Density = NDArray[np.float32]
Recipe = Callable[[random.Random], "CountScene"]

_RADIUS = (9.0, 15.0)  # pixels
_SIZES, _SIZE_WEIGHTS = (SIZE, 3 * SIZE // 2, 2 * SIZE), (8, 1, 1)
_GAP = (-2.0, 4.0)  # between the circles around shapes, which most shapes do not fill
_COVERED = 0.33  # of the picture by those circles, at most
_MOST = 12
_SPREAD = 0.5  # standard deviation of a shape's density, in radii
_LATENT_NOISE = 0.25


class Placed(Protocol):
    """A drawn object: noun in the singular, centre (x, y) and radius in pixels."""

    @property
    def noun(self) -> str: ...

    @property
    def centre(self) -> Point: ...

    @property
    def radius(self) -> float: ...


@dataclass(frozen=True)
class PlacedEmoji:
    """See `Placed`; the radius is half the square root of the box's area."""

    noun: str
    centre: Point
    radius: float


@dataclass(frozen=True)
class CountScene:
    """A picture (S, S, 3) uint8, its objects, and the noun (singular) that it is asked for."""

    picture: Picture
    objects: tuple[Placed, ...]
    noun: str

    def count(self, noun: str) -> int:
        """How many objects of a noun there are."""
        return sum(one.noun == noun for one in self.objects)


def density_of(scene: CountScene, noun: str) -> Density:
    """(S, S) one Gaussian of sum 1 for each object of the noun, as wide as the object is large."""
    side = len(scene.picture)
    places = np.arange(side, dtype=np.float32) + 0.5
    density = np.zeros((side, side), np.float32)
    for one in scene.objects:
        if one.noun == noun:
            width = _SPREAD * one.radius
            across, down = (np.exp(-(((places - centre) / width) ** 2) / 2) for centre in one.centre)
            density += np.outer(down / down.sum(), across / across.sum())
    return density


@dataclass(frozen=True)
class CountScenes:
    """A counting set: `sample` gives picture, plural noun and density of one scene.

    Attributes:
        plurals: of every noun that a scene may show.
    """

    scenes: tuple[CountScene, ...]
    plurals: Mapping[str, str]

    def __len__(self) -> int:
        return len(self.scenes)

    def sample(self, index: int) -> tuple[Picture, str, Density]:
        """(S, S, 3) uint8, the noun in the plural, (S, S) density that sums to the number of its objects."""
        scene = self.scenes[index]
        return scene.picture, self.plurals[scene.noun], density_of(scene, scene.noun)


def _places(radii: Sequence[float], gap: float, side: int, rng: random.Random) -> list[Point] | None:
    """Random centres whose circles keep `gap`; None when one finds no room."""
    places: list[Point] = []
    for radius in radii:
        edge = 1.12 * radius + 2
        for _ in range(80):
            x, y = rng.uniform(edge, side - edge), rng.uniform(edge, side - edge)
            others = zip(places, radii, strict=False)
            if all((x - a) ** 2 + (y - b) ** 2 > (1.12 * (radius + r) + gap) ** 2 for (a, b), r in others):
                places.append((x, y))
                break
        else:
            return None
    return places


def _room(side: int, radius: float) -> int:
    """How many shapes of a radius find room."""
    return max(1, min(_MOST, int(_COVERED * side**2 / (math.pi * (1.12 * radius) ** 2))))


def _drawn(nouns: Sequence[str], asked: str, side: int, radius: float, rng: random.Random) -> CountScene:
    """A scene with one shape for each of `nouns`; a third of the kinds has one colour."""
    colour_of = {noun: rng.choice(tuple(COLOURS)) if rng.random() < 1 / 3 else None for noun in sorted({*nouns})}
    gap, places = rng.uniform(*_GAP), None
    while places is None:
        radii = [radius * rng.uniform(0.85, 1.18) for _ in nouns]
        places = _places(radii, gap, side, rng)
        radius *= 0.97
    shapes = tuple(
        PlacedShape(noun, colour_of[noun] or rng.choice(tuple(COLOURS)), place, r)
        for noun, place, r in zip(nouns, places, radii, strict=True)
    )
    background = light_background(rng)
    return CountScene(draw(shapes, background, side).copy(), shapes, asked)


def _frame(rng: random.Random) -> tuple[int, float]:
    """Side of a picture, and the radius of its shapes: small ones are as likely as large ones."""
    side = rng.choices(_SIZES, _SIZE_WEIGHTS)[0]
    return side, math.exp(rng.uniform(*map(math.log, _RADIUS)))


def rich_scene(rng: random.Random) -> CountScene:
    """One to four kinds, as many of each as may be, one of them asked for."""
    side, radius = _frame(rng)
    kinds = rng.sample(NOUNS, rng.choices((1, 2, 3, 4), (4, 4, 3, 1))[0])
    left = max(len(kinds), _room(side, radius))
    nouns: list[str] = []
    for index, noun in enumerate(kinds):
        most = left - len(nouns) - (len(kinds) - index - 1)
        nouns += [noun] * rng.randint(1, min(most, 12) if rng.random() < 0.8 else most)
    rng.shuffle(nouns)
    return _drawn(nouns, rng.choice(kinds), side, radius, rng)


def ordinary_scene(rng: random.Random) -> CountScene:
    """Like FSC-147: many of one kind, which is asked for; one picture in four also shows one or two others."""
    side, radius = _frame(rng)
    noun, other = rng.sample(NOUNS, 2)
    few = rng.randint(1, 2) if rng.random() < 0.25 else 0
    most = max(5, _room(side, radius) - few)
    nouns = [noun] * rng.randint(4, most) + [other] * few
    rng.shuffle(nouns)
    return _drawn(nouns, noun, side, radius, rng)


def minority_scene(rng: random.Random) -> CountScene:
    """Like FSC-147-S: many of one kind, but asked for is another, of which there are one or two."""
    side, radius = _frame(rng)
    noun, other = rng.sample(NOUNS, 2)
    few = rng.randint(1, 2)
    nouns = [other] * rng.randint(4, max(5, _room(side, radius) - few)) + [noun] * few
    rng.shuffle(nouns)
    return _drawn(nouns, noun, side, radius, rng)


def emoji_scene(rng: random.Random) -> CountScene:
    """One to four kinds of emoji, up to twelve objects, one of the kinds asked for."""
    scene = random_scene(rng)
    objects = []
    for one in scene.objects:
        left, top, width, height = one.box
        objects.append(PlacedEmoji(one.noun, (left + width / 2, top + height / 2), math.sqrt(width * height) / 2))
    return CountScene(scene.picture.copy(), tuple(objects), rng.choice(scene.kinds).noun)


def make_scenes(recipe: Recipe, how_many: int, seed: int, plurals: Mapping[str, str] = PLURALS) -> CountScenes:
    """`how_many` scenes; each hangs on the seed and its place alone. `plurals` is of every noun that the recipe knows."""
    scenes = tuple(recipe(random.Random(f"{seed} {recipe.__name__} {index}")) for index in range(how_many))
    return CountScenes(scenes, plurals)


@torch.no_grad()
def redrawn(scenes: CountScenes, autoencoder: nn.Module, std: Tensor, share: float, seed: int) -> CountScenes:
    """Show a share of the scenes as the diffusion model draws: through its autoencoder, with noise on the latent.

    Args:
        scenes: sides of whole latent cells.
        autoencoder: the diffusion model's.
        std: (Z,) of each latent channel.
        share: of the scenes, 0 to 1.
        seed: of which scenes and of the noise.
    """
    rng, generator = random.Random(seed), torch.Generator().manual_seed(seed)
    out = []
    for scene in scenes.scenes:
        if rng.random() < share:
            pixels = torch.tensor(scene.picture).movedim(-1, 0)[None] / 127.5 - 1
            latent = autoencoder.encode(pixels)
            noise = torch.randn(latent.shape, generator=generator) * std.view(1, -1, 1, 1)
            decoded = autoencoder.decode(latent + rng.uniform(0, _LATENT_NOISE) * noise)[0].movedim(0, -1)
            scene = replace(scene, picture=((decoded + 1) * 127.5).round().clamp(0, 255).byte().numpy())
        out.append(scene)
    return CountScenes(tuple(out), scenes.plurals)
