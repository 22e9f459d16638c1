"""Drawn clips hold exactly what their prompts ask for, in every picture."""

from __future__ import annotations

import random
from itertools import combinations

import numpy as np
import pytest
from headcount.core.prompts import parse_prompt
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.counter import count_shapes
from demo.scenes import SIZE, Kind
from demo.shapes import COLOURS, PLURALS
from demo.video_scenes import FRAMES, MAX_SHAPES, random_clip, random_clip_kinds, random_path, write_clip_prompt

SINGULAR = {form: noun for noun, plural in PLURALS.items() for form in (noun, plural)}
seeds = st.integers(0, 10**9)


@settings(max_examples=25, deadline=None)
@given(seed=seeds)
def test_every_picture_shows_the_same_shapes(seed: int) -> None:
    """Same nouns, colours and sizes in the same order: none appears or vanishes."""
    clip = random_clip(random.Random(seed))
    assert len(clip.shapes) == len(clip.pictures) == FRAMES
    for shown in clip.shapes:
        looks = [(shape.noun, shape.colour, shape.radius) for shape in shown]
        assert looks == [(shape.noun, shape.colour, shape.radius) for shape in clip.shapes[0]]
    assert clip.counts() == {kind.noun: kind.count for kind in clip.kinds}
    for kind in clip.kinds:
        colours = {shape.colour for shape in clip.shapes[0] if shape.noun == kind.noun}
        assert colours == {kind.colour} if kind.colour else colours <= set(COLOURS)
    assert 1 <= sum(clip.counts().values()) <= MAX_SHAPES


@settings(max_examples=25, deadline=None)
@given(seed=seeds, size=st.sampled_from([SIZE, 192]), frames=st.sampled_from([1, 2, 8, 16]))
def test_shapes_stay_inside_and_apart(seed: int, size: int, frames: int) -> None:
    clip = random_clip(random.Random(seed), frames=frames, size=size)
    assert clip.pictures.shape == (frames, size, size, 3) and clip.pictures.dtype == np.uint8
    for shown in clip.shapes:
        for shape in shown:
            reach = 1.12 * shape.radius
            assert all(reach < place < size - reach for place in shape.centre)
        for one, other in combinations(shown, 2):
            gap = np.hypot(*np.subtract(one.centre, other.centre)) - 1.12 * (one.radius + other.radius)
            assert gap >= 8 - 1e-6, "one latent pixel between any two"


@settings(max_examples=40, deadline=None)
@given(seed=seeds)
def test_paths_are_lines_or_gentle_curves(seed: int) -> None:
    """Even in time: no step is much longer than another, and none turns round."""
    path = random_path(random.Random(seed), 8.0, FRAMES)
    if path is None:
        return
    steps = np.diff(path, axis=0)
    lengths = np.hypot(*steps.T)
    assert lengths.max() < 12
    bends = np.diff(steps, axis=0)
    assert np.abs(bends - bends[0]).max() < 1e-9, "constant acceleration"


def test_shapes_move() -> None:
    clips = [random_clip(random.Random(seed)) for seed in range(12)]
    ways = [
        np.hypot(*np.subtract(last.centre, first.centre))
        for clip in clips
        for first, last in zip(clip.shapes[0], clip.shapes[-1], strict=True)
    ]
    assert np.mean(ways) > 10 and np.mean(np.array(ways) > 3) > 0.9


@pytest.mark.parametrize("kinds", [(Kind("star", 6),), (Kind("heart", 3), Kind("ring", 3))])
def test_as_many_as_can_be_fit(kinds: tuple[Kind, ...]) -> None:
    for seed in range(8):
        assert sum(random_clip(random.Random(seed), kinds).counts().values()) == MAX_SHAPES


def test_too_many_do_not_fit() -> None:
    with pytest.raises(ValueError, match="40 moving shapes do not fit into a picture of 128 x 128 pixels"):
        random_clip(random.Random(0), (Kind("star", 40),))


def test_the_counter_counts_every_picture_right() -> None:
    for seed in range(12):
        clip = random_clip(random.Random(seed))
        assert [count_shapes(picture) for picture in clip.pictures] == [clip.counts()] * FRAMES


@settings(max_examples=60, deadline=None)
@given(seed=seeds)
def test_count_prompt_reads_what_was_asked(seed: int) -> None:
    """The pack's own reader understands every wording of the clips."""
    rng = random.Random(seed)
    kinds = random_clip_kinds(rng)
    found = parse_prompt(write_clip_prompt(kinds, rng))
    assert [(SINGULAR[item.noun], item.count) for item in found] == [(kind.noun, kind.count) for kind in kinds]


def test_prompts_speak_of_videos() -> None:
    rng = random.Random(0)
    prompts = [write_clip_prompt((Kind("star", 2),), rng) for _ in range(300)]
    for word in ("video", "clip", "short", "photo"):
        assert sum(word in prompt for prompt in prompts) >= 5


def test_the_same_seed_gives_the_same_clip() -> None:
    one, other = (random_clip(random.Random(5)) for _ in range(2))
    assert one.shapes == other.shapes and one.prompt == other.prompt
    assert np.array_equal(one.pictures, other.pictures)
