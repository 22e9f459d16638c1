"""Random clips of moving emoji art: the video model's scenes, of two of the families and of up to six objects.

Every object stays in the picture, keeps its size and is hidden by a fifth at most, so that one count holds for the whole
clip. A clip played backwards is as good a clip. FROZEN, as `scenes` is.
"""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ..scenes import Kind
from .backgrounds import random_background
from .prompts import write_prompt
from .scenes import SIZE, Box, looks_of, overlap, picture_of, place_objects
from .sprites import colours_of
from .vocabulary import FAMILIES

FRAMES = 4
NOUNS = FAMILIES["fruits"] + FAMILIES["things"]
MAX_OF_A_KIND = {1: 6, 2: 3}  # by how many kinds a clip has
_WAY = (8.0, 48.0)  # pixels from the first to the last picture
_TRIES = 30
_MOST_OVERLAP = 0.1  # of two objects in any picture; those that overlap more from the start stay where they are


@dataclass(frozen=True)
class Clip:
    """A clip: what it holds, the prompt that asks for it, and its pictures.

    Attributes:
        boxes: of each picture, those of all objects, in the same order in all; left, top, width, height in pixels.
        pictures: (F, SIZE, SIZE, 3) uint8.
    """

    kinds: tuple[Kind, ...]
    prompt: str
    boxes: tuple[tuple[Box, ...], ...]
    pictures: NDArray[np.uint8]


def random_clip_kinds(rng: random.Random) -> tuple[Kind, ...]:
    """One or two kinds of `NOUNS`, as many of each as `MAX_OF_A_KIND` allows; some with a colour."""
    how_many = rng.choices((1, 2), weights=(3, 2))[0]
    kinds = []
    for noun in rng.sample(NOUNS, how_many):
        colours = colours_of(noun)
        colour = rng.choice(colours) if colours and rng.random() < 0.3 else None
        kinds.append(Kind(noun, rng.randint(1, MAX_OF_A_KIND[how_many]), colour))
    return tuple(kinds)


def _path(start: Box, way: tuple[float, float], frames: int) -> tuple[Box, ...]:
    left, top, width, height = start
    shares = [frame / max(1, frames - 1) for frame in range(frames)]
    return tuple((round(left + way[0] * share), round(top + way[1] * share), width, height) for share in shares)


def random_paths(starts: list[Box], rng: random.Random, frames: int) -> list[tuple[Box, ...]]:
    """A straight path for each box; one that finds no free way stays where it is.

    Returns:
        for each box, `frames` boxes.
    """
    paths = [_path(start, (0, 0), frames) for start in starts]
    for one, (left, top, width, height) in enumerate(starts):
        others = [path for other, path in enumerate(paths) if other != one]
        for _ in range(_TRIES):
            angle, length = rng.uniform(0, 2 * math.pi), rng.uniform(*_WAY)
            across, down = length * math.cos(angle), length * math.sin(angle)
            inside = 0 <= left + across <= SIZE - width and 0 <= top + down <= SIZE - height
            path = _path(starts[one], (across, down), frames)
            if inside and all(
                overlap(here, there) <= _MOST_OVERLAP
                for other in others
                for here, there in zip(path, other, strict=True)
            ):
                paths[one] = path
                break
    return paths


def random_clip(rng: random.Random, kinds: tuple[Kind, ...] | None = None, frames: int = FRAMES) -> Clip:
    """A clip of `kinds`, or of random kinds, with its prompt and pictures. The same `rng` state gives the same clip."""
    kinds = kinds or random_clip_kinds(rng)
    background_kind, background = random_background(rng, SIZE)
    prompt = write_prompt(kinds, background_kind, rng)
    looks = looks_of(kinds, rng)
    paths = random_paths(place_objects(looks, rng), rng, frames)
    nearer_last = sorted(zip(looks, paths, strict=True), key=lambda one: one[1][0][1] + one[1][0][3])
    boxes = tuple(tuple(path[frame] for _, path in nearer_last) for frame in range(frames))
    pictures = [picture_of([(look, path[frame]) for look, path in nearer_last], background) for frame in range(frames)]
    return Clip(kinds, prompt, boxes, np.stack(pictures))


def clip(collection: str, number: int) -> Clip:
    """Clip `number` of a named collection; see `scenes.scene`."""
    return random_clip(random.Random(f"clip {collection} {number}"))
