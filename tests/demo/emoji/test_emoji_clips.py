"""Drawn clips hold what their prompts ask for in every picture."""

from __future__ import annotations

import hashlib
import random
from itertools import combinations

import numpy as np
import pytest
from headcount.bridge.demo_models import emoji_video
from headcount.core.prompts import parse_prompt, same_noun
from hypothesis import given, settings
from hypothesis import strategies as st

from demo.emoji.clips import FRAMES, MAX_OF_A_KIND, NOUNS, clip, random_clip, random_clip_kinds, random_paths
from demo.emoji.scenes import LARGEST_OVERLAP, SIZE, overlap
from demo.scenes import Kind

FROZEN_DIGEST = "1f7248de17bfe12d209600cd0f7d22359764806ec9bf2d5774caf88aeb7fcf3a"
seeds = st.integers(0, 10**9)


def test_the_clips_are_frozen() -> None:
    """The video model is trained on these, and its schedule made for as many frames."""
    assert FRAMES == emoji_video.FRAMES
    found = hashlib.sha256()
    for number in range(8):
        one = clip("training", number)
        found.update(repr((one.kinds, one.prompt, one.boxes)).encode())
        found.update(one.pictures.tobytes())
    assert found.hexdigest() == FROZEN_DIGEST


@settings(max_examples=25, deadline=None)
@given(seed=seeds, frames=st.sampled_from([1, 2, FRAMES]))
def test_objects_stay_inside_apart_and_as_large_as_they_are(seed: int, frames: int) -> None:
    made = random_clip(random.Random(seed), frames=frames)
    assert made.pictures.shape == (frames, SIZE, SIZE, 3) and made.pictures.dtype == np.uint8
    assert {len(shown) for shown in made.boxes} == {sum(kind.count for kind in made.kinds)}
    for shown in made.boxes:
        assert [box[2:] for box in shown] == [box[2:] for box in made.boxes[0]]
        for left, top, width, height in shown:
            assert 0 <= left <= SIZE - width and 0 <= top <= SIZE - height
        assert all(overlap(one, other) <= LARGEST_OVERLAP for one, other in combinations(shown, 2))


@settings(max_examples=50, deadline=None)
@given(seed=seeds)
def test_prompts_ask_for_what_there_is(seed: int) -> None:
    made = random_clip(random.Random(seed), frames=1)
    asked = parse_prompt(made.prompt)
    assert [thing.count for thing in asked] == [kind.count for kind in made.kinds]
    assert all(same_noun(thing.noun, kind.noun) for thing, kind in zip(asked, made.kinds, strict=True))


@settings(max_examples=50, deadline=None)
@given(seed=seeds)
def test_kinds(seed: int) -> None:
    kinds = random_clip_kinds(random.Random(seed))
    assert 1 <= len(kinds) <= 2 and all(kind.noun in NOUNS for kind in kinds)
    assert all(1 <= kind.count <= MAX_OF_A_KIND[len(kinds)] for kind in kinds)


def test_most_objects_move_and_evenly() -> None:
    made = [clip("test", number) for number in range(30)]
    paths = [path for one in made for path in zip(*one.boxes, strict=True)]
    moved = [path for path in paths if path[0] != path[-1]]
    assert len(moved) > 0.7 * len(paths)
    for path in moved:
        steps = np.diff(np.array(path)[:, :2], axis=0)
        assert np.ptp(steps, axis=0).max() <= 1, "whole pixels"


def test_one_without_room_stays() -> None:
    assert random_paths([(0, 0, SIZE, SIZE)], random.Random(0), 3) == [((0, 0, SIZE, SIZE),) * 3]


def test_same_numbers_same_clip() -> None:
    one, same, other = clip("test", 1), clip("test", 1), clip("test", 2)
    assert np.array_equal(one.pictures, same.pictures) and not np.array_equal(one.pictures, other.pictures)


@pytest.mark.parametrize("count", [1, 6])
def test_of_given_kinds(count: int) -> None:
    made = random_clip(random.Random(0), (Kind("donut", count),))
    assert made.kinds == (Kind("donut", count),) and len(made.boxes[0]) == count
