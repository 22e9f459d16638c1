"""Scenes of emoji art hold exactly what their prompts ask for, and stay the same for good."""

from __future__ import annotations

import hashlib
import random
from itertools import combinations

import numpy as np
import pytest
from headcount.core.prompts import parse_prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.emoji.backgrounds import KINDS, random_background
from demo.emoji.prompts import MAX_COUNT, Kind, every_word, write_prompt
from demo.emoji.scenes import (
    LARGEST,
    LARGEST_OVERLAP,
    SIZE,
    SMALLEST,
    Scene,
    overlap,
    random_kinds,
    random_scene,
    scene,
)
from demo.emoji.sprites import LIST, SHEET, SIDE, all_sprites, colours_of
from demo.emoji.vocabulary import COLOUR_WORDS, FAMILIES, NOUNS, PLURALS

SINGULAR = {form: noun for noun, plural in PLURALS.items() for form in (noun, plural)}
FROZEN_SCENES = 24
FROZEN_DIGEST = "7b6a53de53b9e42c780af50ab995179a31679fc8c4a0239dd84a637d4826a0d1"
FROZEN_SHEET = "a29723a179ef79b32d387df52aa99784de2ff2eb6d4a6ab65cb6b35fc3a8e714"


def digest_of(scenes: list[Scene]) -> str:
    found = hashlib.sha256()
    for one in scenes:
        boxes = [(thing.noun, thing.sprite.style, thing.sprite.view, thing.box) for thing in one.objects]
        found.update(repr((one.kinds, one.prompt, one.background, boxes)).encode())
        found.update(one.picture.tobytes())
    return found.hexdigest()


def test_the_scenes_are_frozen() -> None:
    """Models are trained on these and measured on others: a change means training all of them afresh."""
    half = FROZEN_SCENES // 2
    scenes = [scene(collection, number) for collection in ("training", "held out") for number in range(half)]
    assert digest_of(scenes) == FROZEN_DIGEST


def test_the_sprites_are_frozen() -> None:
    pixels = hashlib.sha256()
    for noun, sprites in all_sprites().items():
        for sprite in sprites:
            pixels.update(f"{noun} {sprite.style} {sprite.view} {sprite.colour}".encode())
            pixels.update(sprite.picture.tobytes())
    assert pixels.hexdigest() == FROZEN_SHEET


@settings(max_examples=30, deadline=None)
@given(number=st.integers(0, 10**9))
def test_counts_boxes_sizes_and_overlap(number: int) -> None:
    found = scene("test", number)
    assert found.counts() == {kind.noun: kind.count for kind in found.kinds}
    assert 1 <= len(found.objects) <= MAX_COUNT and 1 <= len(found.kinds) <= 4
    for thing in found.objects:
        left, top, width, height = thing.box
        assert left >= 0 and top >= 0 and left + width <= SIZE and top + height <= SIZE
        assert SMALLEST * SIZE - 1 <= max(width, height) <= LARGEST * SIZE + 1
    for one, other in combinations(found.objects, 2):
        assert overlap(one.box, other.box) <= LARGEST_OVERLAP
    for kind in found.kinds:
        colours = {thing.sprite.colour for thing in found.objects if thing.noun == kind.noun}
        assert colours == {kind.colour} if kind.colour else colours <= {None, *COLOUR_WORDS}
    bottoms = [thing.box[1] + thing.box[3] for thing in found.objects]
    assert bottoms == sorted(bottoms), "nearer objects are drawn over those behind them"


@settings(max_examples=150, deadline=None)
@given(seed=st.integers(0, 10**9))
def test_count_prompt_reads_every_prompt(seed: int) -> None:
    rng = random.Random(seed)
    kinds = random_kinds(rng)
    prompt = write_prompt(kinds, rng.choice(tuple(KINDS)), rng)
    found = [(SINGULAR[item.noun], item.count) for item in parse_prompt(prompt)]
    assert found == [(kind.noun, kind.count) for kind in kinds], prompt
    assert set(prompt.replace(",", " , ").split()) <= set(every_word())


def test_every_count_and_number_of_kinds_comes_up() -> None:
    rng = random.Random(0)
    kinds = [random_kinds(rng) for _ in range(3000)]
    assert {len(one) for one in kinds} == {1, 2, 3, 4}
    assert {one[0].count for one in kinds if len(one) == 1} == set(range(1, MAX_COUNT + 1))
    assert {kind.noun for one in kinds for kind in one} == set(NOUNS)
    several = [one for one in kinds if len(one) > 1]
    alike = [one for one in several if any({kind.noun for kind in one} <= set(family) for family in FAMILIES.values())]
    assert 0.5 < len(alike) / len(several) < 0.7, "similar kinds stand together in half of the scenes, and by chance"


def test_sizes_reach_both_ends() -> None:
    rng = random.Random(1)
    alone = [random_scene(rng, (Kind("cat", 1),)).objects[0].box for _ in range(25)]
    many = [thing.box for _ in range(3) for thing in random_scene(rng, (Kind("cat", 12),)).objects]
    assert max(max(box[2:]) for box in alone) > 0.55 * SIZE
    assert min(max(box[2:]) for box in many) < 0.19 * SIZE


def test_what_was_drawn_is_where_its_box_says() -> None:
    """Against the same background, only pixels in the boxes differ, and most of each box's rows and columns do."""
    rng = random.Random(5)
    kinds = (Kind("heart", 3),)
    state = rng.getstate()
    found = random_scene(rng, kinds)
    rng.setstate(state)
    _, background = random_background(rng, SIZE)
    changed = (found.picture != background).any(-1)
    inside = np.zeros((SIZE, SIZE), bool)
    for left, top, width, height in (thing.box for thing in found.objects):
        inside[top : top + height, left : left + width] = True
        part = changed[top : top + height, left : left + width]
        assert part.any(0).mean() > 0.9 and part.any(1).mean() > 0.9
    assert not (changed & ~inside).any()


def test_the_same_number_gives_the_same_scene() -> None:
    random.seed(3)
    before = random.getstate(), np.random.get_state()[1].copy()
    one, other = scene("test", 8), scene("test", 8)
    assert digest_of([one]) == digest_of([other]) != digest_of([scene("test", 9)])
    assert random.getstate() == before[0] and np.array_equal(np.random.get_state()[1], before[1])
    assert one.picture.shape == (SIZE, SIZE, 3) and one.picture.dtype == np.uint8


def test_too_many_objects() -> None:
    with pytest.raises(ValueError, match="13 objects are asked for; a scene holds at most 12"):
        random_scene(random.Random(0), (Kind("cat", 7), Kind("dog", 6)))


@pytest.mark.parametrize("kind", KINDS)
def test_backgrounds(kind: str) -> None:
    drawn = [random_background(random.Random(seed), 64) for seed in range(80)]
    of_kind = [pixels for name, pixels in drawn if name == kind]
    assert len(of_kind) >= 2 and not np.array_equal(of_kind[0], of_kind[1])
    assert all(pixels.shape == (64, 64, 3) and pixels.dtype == np.uint8 for pixels in of_kind)


class TestSprites:
    def test_three_styles_of_every_noun(self) -> None:
        assert len(NOUNS) >= 16
        for noun in NOUNS:
            assert {sprite.style for sprite in all_sprites()[noun]} == {"noto", "flat", "3d"}

    def test_body_and_face_in_each_style(self) -> None:
        both = [noun for noun in FAMILIES["animals"] if noun != "elephant"]
        for noun in both:
            found = {(sprite.style, sprite.view) for sprite in all_sprites()[noun]}
            assert found == {(style, view) for style in ("noto", "flat", "3d") for view in ("body", "face")}

    def test_tightly_cut(self) -> None:
        for sprite in (sprite for sprites in all_sprites().values() for sprite in sprites):
            alpha = np.asarray(sprite.picture)[..., 3]
            assert max(alpha.shape) == SIDE
            assert alpha[0].any() and alpha[-1].any() and alpha[:, 0].any() and alpha[:, -1].any()

    def test_colours(self) -> None:
        assert colours_of("apple") == ("red", "green")
        assert set(colours_of("balloon")) == {"red", "yellow", "green", "blue"}
        assert colours_of("cat") == ()
        channel = {"red": 0, "green": 1, "blue": 2}
        for noun in ("apple", "book", "heart", "balloon"):
            for sprite in all_sprites()[noun]:
                if sprite.colour in channel:
                    pixels = np.asarray(sprite.picture).reshape(-1, 4)
                    colour = pixels[pixels[:, 3] > 200][:, :3].mean(0)
                    assert int(colour.argmax()) == channel[sprite.colour], (noun, sprite.style, sprite.colour)

    def test_small(self) -> None:
        assert SHEET.stat().st_size < 3_000_000 and LIST.stat().st_size < 50_000
