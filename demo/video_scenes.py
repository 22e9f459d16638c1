"""Random clips of moving shapes, each with its exact contents and a prompt in plain English.

Every shape is in every picture of its clip: none appears, vanishes, leaves or touches another one, so that one count holds
for the whole clip. A clip played backwards is as good a clip.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .scenes import SIZE, Kind, PlacedShape, draw, light_background, write_prompt
from .shapes import COLOURS, NOUNS, Point

FRAMES = 8
MAX_SHAPES = 6
_RADIUS = (9.5, 12.5)
_GAP = 8.0  # pixels between outlines: the side of a latent pixel, so that two shapes are two on the model's grid
_REACH = 1.12  # of a star's points, in radii
_WAY = (6.0, 48.0)  # pixels from the first to the last picture
_BEND = 10.0
_TRIES, _STARTS = 40, 150
_OF_A_CLIP = {
    "a photo of": "a video of",
    "a picture of": "a clip of",
    "an image of": "a short clip of",
    "a picture with": "a video with",
}

Path = NDArray[np.float64]


@dataclass(frozen=True)
class Clip:
    """A clip: what it holds, the prompt that asks for it, and its pictures.

    Attributes:
        shapes: the shapes of each picture, in the same order in all.
        pictures: (F, SIZE, SIZE, 3) uint8.
    """

    kinds: tuple[Kind, ...]
    prompt: str
    shapes: tuple[tuple[PlacedShape, ...], ...]
    pictures: NDArray[np.uint8]

    def counts(self) -> dict[str, int]:
        """How many shapes of each noun every picture of the clip holds."""
        return dict(Counter(shape.noun for shape in self.shapes[0]))


def random_clip_kinds(rng: random.Random) -> tuple[Kind, ...]:
    """One or two kinds, at most `MAX_SHAPES` shapes in all; a third of the kinds has one named colour."""
    nouns = rng.sample(NOUNS, rng.choices((1, 2), weights=(3, 2))[0])
    most = MAX_SHAPES if len(nouns) == 1 else MAX_SHAPES // 2
    colours = [rng.choice(tuple(COLOURS)) if rng.random() < 1 / 3 else None for _ in nouns]
    return tuple(Kind(noun, rng.randint(1, most), colour) for noun, colour in zip(nouns, colours, strict=True))


def write_clip_prompt(kinds: tuple[Kind, ...], rng: random.Random) -> str:
    """Ask for `kinds` in one of the wordings of the scenes, half of the time as a video: "a video of three red circles"."""
    prompt = write_prompt(kinds, rng)
    if rng.random() < 0.5:
        for picture, clip in _OF_A_CLIP.items():
            prompt = prompt.replace(picture, clip)
    return prompt


def random_path(rng: random.Random, radius: float, frames: int, size: int = SIZE, pace: float = 1.0) -> Path | None:
    """A straight line or gentle curve of a shape's centre, even in time; None where it would leave the picture.

    Args:
        radius: of the shape in pixels.
        pace: multiplies the way that it goes; 0 stands still.

    Returns:
        (frames, 2) centres (x, y) in pixels.
    """
    edge = _REACH * radius + 2
    middle = np.array([rng.uniform(edge, size - edge), rng.uniform(edge, size - edge)])
    angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(*_WAY) * pace * size / SIZE
    forward = np.array([math.cos(angle), math.sin(angle)])
    bend = rng.choice((0.0, rng.uniform(-_BEND, _BEND))) * pace * size / SIZE
    time = np.linspace(-1, 1, frames)[:, None] if frames > 1 else np.zeros((1, 1))
    path = middle + time * forward * length / 2 + time**2 * forward[::-1] * (-bend, bend)
    return path if edge < path.min() and path.max() < size - edge else None


def _apart(path: Path, radius: float, others: list[tuple[Path, float]]) -> bool:
    """Whether a shape keeps `_GAP` from the others in every picture."""
    for other, its_radius in others:
        nearest = np.square(path - other).sum(1).min()
        if nearest < (_REACH * (radius + its_radius) + _GAP) ** 2:
            return False
    return True


def _free_paths(radii: list[float], rng: random.Random, frames: int, size: int) -> list[Path]:
    """Paths that never come near each other; starts afresh, and a little slower, when a random choice leaves no room.

    Raises:
        ValueError: the shapes do not fit.
    """
    for start in range(_STARTS):
        taken: list[tuple[Path, float]] = []
        for radius in radii:
            for _ in range(_TRIES):
                path = random_path(rng, radius, frames, size, 1 - start / _STARTS)
                if path is not None and _apart(path, radius, taken):
                    taken.append((path, radius))
                    break
            else:
                break
        if len(taken) == len(radii):
            return [path for path, _ in taken]
    raise ValueError(f"{len(radii)} moving shapes do not fit into a picture of {size} x {size} pixels")


def random_clip(
    rng: random.Random, kinds: tuple[Kind, ...] | None = None, frames: int = FRAMES, size: int = SIZE
) -> Clip:
    """A clip of `kinds`, or of random kinds, with its prompt. The same `rng` state gives the same clip.

    Raises:
        ValueError: the shapes do not fit.
    """
    kinds = kinds or random_clip_kinds(rng)
    wanted = [(kind.noun, kind.colour or rng.choice(tuple(COLOURS))) for kind in kinds for _ in range(kind.count)]
    radii = [rng.uniform(*_RADIUS) * size / SIZE for _ in wanted]
    paths = _free_paths(radii, rng, frames, size)
    shapes = tuple(
        tuple(
            PlacedShape(noun, colour, _point(path[frame]), radius)
            for (noun, colour), path, radius in zip(wanted, paths, radii, strict=True)
        )
        for frame in range(frames)
    )
    background = light_background(rng)
    pictures = np.stack([draw(shown, background, size) for shown in shapes])
    return Clip(kinds, write_clip_prompt(kinds, rng), shapes, pictures)


def _point(place: NDArray[np.float64]) -> Point:
    return float(place[0]), float(place[1])
