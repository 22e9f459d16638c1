"""Random scenes of emoji art, each with its exact contents and a prompt in plain English.

FROZEN: models are trained on these scenes and measured on others of them, so the same name and number must give the same
scene for good; tests/demo/emoji holds their digest. A change here means training everything afresh.
"""

from __future__ import annotations

import random
from collections import Counter
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from ..scenes import Kind
from .backgrounds import random_background
from .prompts import MAX_COUNT, write_prompt
from .sprites import Sprite, all_sprites, colours_of
from .vocabulary import FAMILIES, NOUNS

SIZE = 128
SMALLEST, LARGEST = 0.15, 0.65  # of an object's longer side, as shares of the picture's
LARGEST_OVERLAP = 0.2  # of two boxes' common part, as a share of the smaller box
_OVERLAPS = (0.0, 0.08, LARGEST_OVERLAP)  # a scene keeps to one of these
MAX_OF_A_KIND = {1: MAX_COUNT, 2: 6, 3: 4, 4: 3}  # by how many kinds a scene has
_LARGEST_TURN = 20.0  # degrees
Box = tuple[int, int, int, int]
"""Left, top, width and height in whole pixels."""
_SHARE_OF_THE_USUAL_LOOK = 0.7  # of a kind's objects; the others look as they like


@dataclass(frozen=True)
class PlacedObject:
    """A drawn object.

    Attributes:
        sprite: what was drawn, before turning and mirroring.
        box: left, top, width, height in whole pixels, tight around what was drawn.
    """

    noun: str
    sprite: Sprite
    box: Box


@dataclass(frozen=True)
class Scene:
    """A scene: what it holds, the prompt that asks for it, its objects from back to front, and its picture.

    Attributes:
        background: one of `backgrounds.KINDS`.
        picture: (SIZE, SIZE, 3) uint8.
    """

    kinds: tuple[Kind, ...]
    prompt: str
    background: str
    objects: tuple[PlacedObject, ...]
    picture: NDArray[np.uint8]

    def counts(self) -> dict[str, int]:
        """How many objects of each noun the scene holds."""
        return dict(Counter(thing.noun for thing in self.objects))


@dataclass(frozen=True)
class Look:
    """A turned and mirrored sprite, tightly cropped."""

    noun: str
    sprite: Sprite
    picture: Image.Image

    def size(self, longer: float) -> tuple[int, int]:
        """Width and height in pixels where the longer side has `longer`."""
        scale = longer / max(self.picture.size)
        width, height = self.picture.size
        return max(1, round(width * scale)), max(1, round(height * scale))


def random_kinds(rng: random.Random) -> tuple[Kind, ...]:
    """One to four kinds, at most `MAX_COUNT` objects in all; half of the scenes of several kinds keep to one family."""
    how_many = rng.choices((1, 2, 3, 4), weights=(10, 8, 3, 1))[0]
    nouns = rng.choice(tuple(FAMILIES.values())) if rng.random() < 0.5 else NOUNS
    kinds: list[Kind] = []
    for noun in rng.sample(nouns if how_many > 1 else NOUNS, how_many):
        room = MAX_COUNT - sum(kind.count for kind in kinds) - (how_many - len(kinds) - 1)
        most = min(MAX_OF_A_KIND[how_many], room)
        count = rng.choices(range(1, most + 1), weights=[2 - (number - 1) / most for number in range(1, most + 1)])[0]
        colours = colours_of(noun)
        kinds.append(Kind(noun, count, rng.choice(colours) if colours and rng.random() < 0.4 else None))
    return tuple(kinds)


def _turned(sprite: Sprite, rng: random.Random) -> Image.Image:
    picture = sprite.picture
    if rng.random() < 0.5:
        picture = picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    turned = picture.rotate(rng.uniform(-_LARGEST_TURN, _LARGEST_TURN), Image.Resampling.BICUBIC, expand=True)
    return turned.crop(turned.getchannel("A").point(lambda alpha: 255 * (alpha > 16)).getbbox())


def looks_of(kinds: tuple[Kind, ...], rng: random.Random) -> list[Look]:
    """A look for every object: most of a kind share style, view and colour."""
    looks = []
    for kind in kinds:
        fitting = [sprite for sprite in all_sprites()[kind.noun] if kind.colour in (None, sprite.colour)]
        usual = rng.choice(fitting)
        for _ in range(kind.count):
            sprite = usual if rng.random() < _SHARE_OF_THE_USUAL_LOOK else rng.choice(fitting)
            looks.append(Look(kind.noun, sprite, _turned(sprite, rng)))
    rng.shuffle(looks)
    return looks


def overlap(one: Box, other: Box) -> float:
    """The common part of two boxes (left, top, width, height) as a share of the smaller one."""
    width = min(one[0] + one[2], other[0] + other[2]) - max(one[0], other[0])
    height = min(one[1] + one[3], other[1] + other[3]) - max(one[1], other[1])
    return max(0, width) * max(0, height) / min(one[2] * one[3], other[2] * other[3])


def _places(looks: list[Look], longer: list[float], most: float, rng: random.Random) -> list[Box] | None:
    """A box for every look, or None where a random choice leaves no room."""
    boxes: list[Box] = []
    for look, side in zip(looks, longer, strict=True):
        width, height = look.size(side)
        for _ in range(60):
            box = (rng.randint(0, SIZE - width), rng.randint(0, SIZE - height), width, height)
            if all(overlap(box, other) <= most for other in boxes):
                boxes.append(box)
                break
        else:
            return None
    return boxes


def place_objects(looks: list[Look], rng: random.Random) -> list[Box]:
    """Boxes of random sizes at random places; sizes shrink, down to `SMALLEST`, until all fit.

    Raises:
        ValueError: they do not fit.
    """
    top = min(LARGEST, 0.8 / len(looks) ** 0.5)
    base, most = rng.uniform(max(SMALLEST, 0.45 * top), top), rng.choice(_OVERLAPS)
    for attempt in range(400):
        shares = [base * rng.uniform(0.8, 1.2) * (1 - attempt / 800) for _ in looks]
        longer = [SIZE * min(LARGEST, max(SMALLEST, share)) for share in shares]
        if boxes := _places(looks, longer, most, rng):
            return boxes
    raise ValueError(f"{len(looks)} objects do not fit into a picture of {SIZE} x {SIZE} pixels")


def picture_of(objects: list[tuple[Look, Box]], background: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """The (SIZE, SIZE, 3) picture of objects on a background, from back to front."""
    picture = Image.fromarray(background).convert("RGBA")
    for look, (left, top, width, height) in objects:
        picture.alpha_composite(look.picture.resize((width, height), Image.Resampling.LANCZOS), (left, top))
    return np.asarray(picture.convert("RGB"), dtype=np.uint8)


def random_scene(rng: random.Random, kinds: tuple[Kind, ...] | None = None) -> Scene:
    """A scene of `kinds`, or of random kinds, with its prompt and picture. The same `rng` state gives the same scene.

    Raises:
        ValueError: the kinds hold more than `MAX_COUNT` objects.
    """
    kinds = kinds or random_kinds(rng)
    if (wanted := sum(kind.count for kind in kinds)) > MAX_COUNT:
        raise ValueError(f"{wanted} objects are asked for; a scene holds at most {MAX_COUNT}")
    kind, background = random_background(rng, SIZE)
    prompt = write_prompt(kinds, kind, rng)
    looks = looks_of(kinds, rng)
    boxes = place_objects(looks, rng)
    nearer_last = sorted(zip(looks, boxes, strict=True), key=lambda one: one[1][1] + one[1][3])
    objects = tuple(PlacedObject(look.noun, look.sprite, box) for look, box in nearer_last)
    return Scene(kinds, prompt, kind, objects, picture_of(nearer_last, background))


def scene(collection: str, number: int) -> Scene:
    """Scene `number` of a named collection: "training", "held out", or whatever a detector is trained on."""
    return random_scene(random.Random(f"{collection} {number}"))
