"""Figures of effects, from outcomes made by hand."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from benchmarks.lab.effect_figures import error_of, figures_of, groups_of, is_right, pick
from benchmarks.lab.prompt_files import PromptRow
from benchmarks.lab.statistics import interval

STAR = PromptRow("two stars", {"star": 2}, 0, ["one kind", "2 of one kind"])
RED = PromptRow("two red stars", {"star": 2}, 64, ["one kind", "2 of one kind"], {"star": "red"})
TEN = PromptRow("ten stars", {"star": 10}, 128, ["one kind", "10 of one kind"])
WANTED = {"star": 2, "moon": 0}


@dataclass(frozen=True)
class Picture:
    counted: dict[str, int]
    seconds: float = 1.0
    operations: float | None = None
    size: float | None = None


RIGHT, WRONG = Picture({"star": 2}), Picture({"star": 3})


@pytest.mark.parametrize(
    ("counted", "right", "error"),
    [({"star": 2}, True, 0), ({"star": 1}, False, 1), ({"star": 2, "moon": 3}, False, 3), ({}, False, 2)],
)
def test_right_is_every_noun(counted: dict[str, int], right: bool, error: int) -> None:
    assert is_right(WANTED, Picture(counted)) is right and error_of(STAR, Picture(counted)) == error


def test_colours_are_judged_and_are_no_objects_of_their_own() -> None:
    wanted = {**WANTED, "red star": 2}
    assert is_right(wanted, Picture({"star": 2, "red star": 2}))
    assert not is_right(wanted, Picture({"star": 2, "red star": 1}))
    assert error_of(RED, Picture({"star": 3, "red star": 1})) == 1


def test_a_method_against_plain_sampling() -> None:
    plain = [RIGHT, RIGHT, WRONG, WRONG, Picture({"star": 2, "moon": 1})]
    other = [RIGHT, WRONG, RIGHT, RIGHT, Picture({"star": 2, "moon": 1})]
    found = figures_of([STAR] * 5, [WANTED] * 5, plain, other)
    assert (found.prompts, found.right.mean, found.asked_right) == (5, 0.6, 0.8)
    assert found.difference.mean == pytest.approx(0.2) == pytest.approx(found.mended - found.harmed)
    assert (found.harmed, found.mended) == (0.2, 0.4)
    assert found.difference.interval == interval([0, -1, 1, 1, 0]), "paired: prompts are drawn, not pictures"
    assert found.error == pytest.approx(0.4) and found.error_difference.mean == pytest.approx(-0.2)


def test_cost_is_of_the_prompts_where_it_was_counted() -> None:
    plain = [Picture({}, 1.0, 100.0), Picture({}, 3.0), Picture({}, 1.0, 200.0)]
    other = [Picture({}, 2.0, 150.0), Picture({}, 4.0), Picture({}, 4.0, 500.0)]
    found = figures_of([STAR] * 3, [WANTED] * 3, plain, other)
    assert (found.cost.mean, found.cost.count) == (2.0, 2)
    assert (found.time, found.seconds) == (2.0, pytest.approx(10 / 3))
    assert figures_of([STAR], [WANTED], plain[1:2], other[1:2]).cost is None


def test_groups_are_in_order_and_by_the_size_of_the_plain_picture() -> None:
    pair = PromptRow("a star and a moon", {"star": 1, "moon": 1}, 192, ["2 kinds", "similar kinds", "2 to 4 objects"])
    plain = [Picture({}, size=size) for size in (0.5, 0.2, None, 0.3)]
    groups = groups_of([pair, TEN, STAR, RED], plain)
    assert list(groups) == [
        "all", "one kind", "2 of one kind", "10 of one kind", "2 kinds", "similar kinds", "2 to 4 objects",
        "objects of up to 25 % of the side in the plain picture", "objects of 25 to 40 % of the side in the plain picture",
        "objects of over 40 % of the side in the plain picture",
    ]  # fmt: skip
    assert groups["all"] == [0, 1, 2, 3] and groups["one kind"] == [1, 2, 3] and groups["2 of one kind"] == [2, 3]
    assert [indices for name, indices in groups.items() if name.startswith("objects of")] == [[1], [3], [0]]
    assert pick("abcd", groups["2 of one kind"]) == ["c", "d"]


def test_every_group_of_the_prompts_has_its_place() -> None:
    rows = [
        PromptRow("", {}, 0, [name]) for name in ("with colours", "9 to 12 objects", "2 kinds in 2 colours", "2 kinds")
    ]
    order = list(groups_of(rows, [RIGHT] * len(rows)))
    assert order == ["all", "2 kinds", "2 kinds in 2 colours", "with colours", "9 to 12 objects"]


def test_the_interval_is_narrower_than_that_of_unpaired_shares() -> None:
    """Where both methods are right on the same prompts, little is left to chance."""
    numbers = np.random.default_rng(0)
    plain = [RIGHT if value < 0.5 else WRONG for value in numbers.random(200)]
    other = [RIGHT if value < 0.05 else one for value, one in zip(numbers.random(200), plain, strict=True)]
    found = figures_of([STAR] * 200, [WANTED] * 200, plain, other)
    low, high = found.difference.interval
    assert low > 0 and high - low < 0.5 * (found.right.interval[1] - found.right.interval[0])
