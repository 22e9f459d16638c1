"""Drawn scenes hold exactly what their prompts ask for."""

from __future__ import annotations

import random
import re
from itertools import combinations

import numpy as np
import pytest
from headcount.core.prompts import parse_prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.scenes import MAX_COUNT, SIZE, Kind, place_shapes, random_kinds, random_scene, write_prompt
from demo.shapes import COLOURS, NOUNS, PLURALS

NUMBERS = {"a": 1, "an": 1, "one": 1, "a pair of": 2, "a couple of": 2}
NUMBERS |= {word: n for n, word in enumerate("two three four five six seven eight".split(), 2)}
NUMBERS |= {str(n): n for n in range(1, 9)}
SINGULAR = {form: noun for noun, plural in PLURALS.items() for form in (noun, plural)}
PART = re.compile(
    r"\b(a pair of|a couple of|an?|one|two|three|four|five|six|seven|eight|\d) "
    rf"(?:({'|'.join(COLOURS)}) )?({'|'.join(sorted(SINGULAR, key=len, reverse=True))})\b"
)


def read(prompt: str) -> tuple[Kind, ...]:
    """What a prompt asks for, read by a pattern of this file's own."""
    return tuple(Kind(SINGULAR[noun], NUMBERS[number], colour or None) for number, colour, noun in PART.findall(prompt))


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_prompt_and_shapes_agree(seed: int) -> None:
    scene = random_scene(random.Random(seed))
    assert read(scene.prompt) == scene.kinds
    assert scene.counts() == {kind.noun: kind.count for kind in scene.kinds}
    for kind in scene.kinds:
        colours = {shape.colour for shape in scene.shapes if shape.noun == kind.noun}
        assert colours == {kind.colour} if kind.colour else colours <= set(COLOURS)
        word = kind.noun if kind.count == 1 else PLURALS[kind.noun]
        assert re.search(rf"\b{word}\b", scene.prompt)
    assert 1 <= sum(kind.count for kind in scene.kinds) <= MAX_COUNT


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_count_prompt_reads_the_same(seed: int) -> None:
    """The pack's own reader understands every wording of the scenes."""
    rng = random.Random(seed)
    kinds = random_kinds(rng)
    found = parse_prompt(write_prompt(kinds, rng))
    assert [(SINGULAR[item.noun], item.count) for item in found] == [(kind.noun, kind.count) for kind in kinds]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**9), size=st.sampled_from([SIZE, 192, 256]))
def test_shapes_stay_inside_and_apart(seed: int, size: int) -> None:
    rng = random.Random(seed)
    shapes = place_shapes(random_kinds(rng), rng, size)
    for shape in shapes:
        reach = 1.12 * shape.radius
        assert all(reach < place < size - reach for place in shape.centre)
    for one, other in combinations(shapes, 2):
        gap = np.hypot(*np.subtract(one.centre, other.centre))
        assert gap > one.radius + other.radius


def test_touching_shapes_touch() -> None:
    rng = random.Random(1)
    for _ in range(20):
        first, second = place_shapes((Kind("circle", 2),), rng, touching=True)[:2]
        gap = np.hypot(*np.subtract(first.centre, second.centre))
        assert 0 <= first.radius + second.radius - gap <= 2 + 1e-6


@pytest.mark.parametrize("seed", [0, 7])
def test_the_same_seed_gives_the_same_scene(seed: int) -> None:
    one, other = (random_scene(random.Random(seed)) for _ in range(2))
    assert (one.prompt, one.shapes) == (other.prompt, other.shapes)
    assert np.array_equal(one.picture, other.picture)
    assert random_scene(random.Random(seed + 1)).prompt != one.prompt


def test_no_global_random_numbers() -> None:
    random.seed(3)
    before = random.getstate(), np.random.get_state()[1].copy()
    random_scene(random.Random(0))
    assert random.getstate() == before[0] and np.array_equal(np.random.get_state()[1], before[1])


def test_pictures() -> None:
    scene = random_scene(random.Random(2))
    assert scene.picture.shape == (SIZE, SIZE, 3) and scene.picture.dtype == np.uint8
    assert random_scene(random.Random(2), size=256).picture.shape == (256, 256, 3)


@pytest.mark.parametrize("noun", NOUNS)
def test_every_noun_and_colour_can_be_drawn(noun: str) -> None:
    for colour, value in COLOURS.items():
        picture = random_scene(random.Random(0), (Kind(noun, 1, colour),)).picture
        assert (np.abs(picture.astype(int) - value).sum(-1) < 12).sum() > 40


def test_too_many_shapes() -> None:
    with pytest.raises(ValueError, match="60 shapes do not fit into a picture of 128 x 128 pixels"):
        place_shapes((Kind("circle", 60),), random.Random(0))
