"""Weights of the two losses through the sampling."""

from __future__ import annotations

from itertools import pairwise

import pytest
from headcount.core.isac.schedule import instance_to_class
from hypothesis import given
from hypothesis import strategies as st


@given(steps=st.integers(1, 200), noise_left=st.floats(0, 1))
def test_instances_first_classes_later(steps: int, noise_left: float) -> None:
    weights = [instance_to_class(step, steps, noise_left) for step in range(steps)]
    assert weights[0].instance == noise_left
    for before, after in pairwise(weights):
        assert after.instance <= before.instance and after.semantic >= before.semantic
    for weight in weights:
        assert 0 <= weight.instance <= 1 and 0 <= weight.semantic <= 1
        assert weight.instance + weight.semantic == pytest.approx(1)


def test_algorithm_1() -> None:
    """t / T and 1 - t / T with t counted down from T = 4."""
    found = [instance_to_class(step, 4) for step in range(4)]
    assert [(weight.instance, weight.semantic) for weight in found] == [(1, 0), (0.75, 0.25), (0.5, 0.5), (0.25, 0.75)]


def test_a_later_start_begins_further_down() -> None:
    assert instance_to_class(0, 10, 0.6).instance == pytest.approx(0.6)
    assert instance_to_class(5, 10, 0.6).instance == pytest.approx(0.3)


def test_two_halves_are_the_whole() -> None:
    whole = [instance_to_class(step, 10) for step in range(10)]
    halves = [instance_to_class(step, 5, 1.0, 0.5) for step in range(5)]
    halves += [instance_to_class(step, 5, 0.5) for step in range(5)]
    for one, other in zip(whole, halves, strict=True):
        assert (one.instance, one.semantic) == pytest.approx((other.instance, other.semantic))


def test_more_steps_than_the_schedule_has() -> None:
    assert instance_to_class(12, 10) == instance_to_class(10, 10)
