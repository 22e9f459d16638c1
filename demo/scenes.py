"""Random scenes of drawn shapes, each with its exact contents and a prompt in plain English."""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from .shapes import COLOURS, NOUNS, PLURALS, Colour, Point, draw_shape

SIZE = 128
MAX_COUNT = 8
_RADIUS = (10.0, 15.0)
_GAP = 3.0
_OVERSAMPLING = 3
_WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight")
_FRAMES = (
    "{}",
    "a photo of {}",
    "a picture of {}",
    "a drawing of {}",
    "an image of {}",
    "a picture with {}",
    "{} on a plain background",
    "there are {}",
    "a simple drawing of {}",
)


@dataclass(frozen=True)
class Kind:
    """One kind of object in a scene: `count` of a noun, all of `colour`, or of any colour if that is None."""

    noun: str
    count: int
    colour: str | None = None


@dataclass(frozen=True)
class PlacedShape:
    """A drawn shape: noun, colour name, centre (x, y) and radius in pixels."""

    noun: str
    colour: str
    centre: Point
    radius: float


@dataclass(frozen=True)
class Scene:
    """A scene: what it holds, the prompt that asks for it, its shapes and its (SIZE, SIZE, 3) uint8 picture."""

    kinds: tuple[Kind, ...]
    prompt: str
    shapes: tuple[PlacedShape, ...]
    picture: np.ndarray

    def counts(self) -> dict[str, int]:
        """How many shapes of each noun the scene holds."""
        return dict(Counter(shape.noun for shape in self.shapes))


def random_kinds(rng: random.Random) -> tuple[Kind, ...]:
    """One to three kinds, at most `MAX_COUNT` shapes in all; a third of the kinds has one named colour."""
    how_many = rng.choices((1, 2, 3), weights=(5, 4, 2))[0]
    most = {1: MAX_COUNT, 2: 4, 3: 3}[how_many]
    kinds: list[Kind] = []
    for noun in rng.sample(NOUNS, how_many):
        room = MAX_COUNT - sum(kind.count for kind in kinds) - (how_many - len(kinds) - 1)
        colour = rng.choice(tuple(COLOURS)) if rng.random() < 1 / 3 else None
        kinds.append(Kind(noun, rng.randint(1, min(most, room)), colour))
    return tuple(kinds)


def _number(count: int, next_word: str, rng: random.Random) -> str:
    if count == 1:
        article = "an" if next_word[0] in "aeiou" else "a"
        return rng.choice((article, article, "one", "1"))
    words = [_WORDS[count], _WORDS[count], str(count)]
    if count == 2:
        words += ["a pair of", "a couple of"]
    return rng.choice(words)


def write_prompt(kinds: tuple[Kind, ...], rng: random.Random) -> str:
    """Ask for `kinds` in one of many wordings, such as "a photo of three red circles and 2 stars"."""
    parts = []
    for kind in kinds:
        noun = kind.noun if kind.count == 1 else PLURALS[kind.noun]
        words = f"{kind.colour} {noun}" if kind.colour else noun
        parts.append(f"{_number(kind.count, words, rng)} {words}")
    listed = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
    return rng.choice(_FRAMES).format(listed)


def _beside(place: Point, distance: float, rng: random.Random) -> Point:
    angle = rng.uniform(0, 2 * math.pi)
    return place[0] + distance * math.cos(angle), place[1] + distance * math.sin(angle)


def _free_places(radii: list[float], rng: random.Random, size: int, touching: bool) -> list[Point]:
    """Centres that keep `_GAP` between all shapes; starts afresh when a random choice leaves no room.

    With `touching`, the second shape overlaps the first one's circle by up to 2 pixels.
    """
    for _ in range(200):
        places: list[Point] = []
        for radius in radii:
            for _ in range(60):
                edge = 1.12 * radius + 2
                x, y = rng.uniform(edge, size - edge), rng.uniform(edge, size - edge)
                others = list(zip(places, radii, strict=False))
                if touching and len(places) == 1:
                    x, y = _beside(places[0], radius + radii[0] - rng.uniform(0, 2), rng)
                    if edge < x < size - edge and edge < y < size - edge:
                        places.append((x, y))
                        break
                    continue
                if all((x - a) ** 2 + (y - b) ** 2 > (1.12 * (radius + r) + _GAP) ** 2 for (a, b), r in others):
                    places.append((x, y))
                    break
            else:
                break
        if len(places) == len(radii):
            return places
    raise ValueError(f"{len(radii)} shapes do not fit into a picture of {size} x {size} pixels")


def place_shapes(
    kinds: tuple[Kind, ...], rng: random.Random, size: int = SIZE, touching: bool = False
) -> tuple[PlacedShape, ...]:
    """Put the shapes of `kinds` at random in a picture of `size` x `size` pixels; only the first two may touch.

    Raises:
        ValueError: they do not fit.
    """
    wanted = [(kind.noun, kind.colour) for kind in kinds for _ in range(kind.count)]
    scale = size / SIZE * (0.92 if len(wanted) > 6 else 1.0)
    radii = [rng.uniform(*_RADIUS) * scale for _ in wanted]
    places = _free_places(radii, rng, size, touching)
    names = tuple(COLOURS)
    return tuple(
        PlacedShape(noun, colour or rng.choice(names), place, radius)
        for (noun, colour), place, radius in zip(wanted, places, radii, strict=True)
    )


def draw(shapes: tuple[PlacedShape, ...], background: Colour, size: int = SIZE) -> np.ndarray:
    """Draw `shapes` with smooth edges. Returns a (size, size, 3) uint8 picture."""
    big = Image.new("RGB", (size * _OVERSAMPLING, size * _OVERSAMPLING), background)
    pen = ImageDraw.Draw(big)
    for shape in shapes:
        x, y = shape.centre
        centre = (x * _OVERSAMPLING, y * _OVERSAMPLING)
        draw_shape(pen, shape.noun, centre, shape.radius * _OVERSAMPLING, COLOURS[shape.colour])
    return np.asarray(big.resize((size, size), Image.Resampling.BOX), dtype=np.uint8)


def light_background(rng: random.Random) -> Colour:
    """A light grey with a tint."""
    level = rng.randint(214, 248)
    return level, min(255, level + rng.randint(-8, 8)), min(255, level + rng.randint(-8, 8))


def random_scene(
    rng: random.Random, kinds: tuple[Kind, ...] | None = None, size: int = SIZE, touching: bool = False
) -> Scene:
    """A scene of `kinds`, or of random kinds, with its prompt and picture. The same `rng` state gives the same scene."""
    kinds = kinds or random_kinds(rng)
    shapes = place_shapes(kinds, rng, size, touching)
    background = light_background(rng)
    return Scene(kinds, write_prompt(kinds, rng), shapes, draw(shapes, background, size))
