"""Arithmetic of the benchmark on counts and boxes made by hand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.intracomp_parts.prompts import MULTI_INSTANCE
from benchmarks.intracomp_parts.results import Result, by_number, differences, means, measure
from benchmarks.lab.detection import Detection, agreed, box_area, overlap

from .test_intracomp import picture_row

CLASSES = {"cat": 1, "dog": 1, "cow": 1, "bear": 1, "sheep": 1}


@pytest.mark.parametrize(
    ("asked", "counted", "expected"),
    [
        # Two of five classes are 40 %, three of five cats 60 %, as the paper says.
        (CLASSES, {"cat": 1, "dog": 1}, dict(exact=0, present=0, ratio=0.4, error=0.6, surplus=0, F1=4 / 7, others=0)),
        ({"cat": 5}, {"cat": 3}, dict(exact=0, present=0, ratio=0.6, error=2, surplus=0, F1=0.75, others=0)),
        ({"cat": 3}, {"cat": 5}, dict(exact=0, present=1, ratio=1, error=2, surplus=2, F1=0.75, others=0)),
        ({"cat": 3}, {"cat": 3, "dog": 2}, dict(exact=1, present=1, ratio=1, error=0, surplus=0, F1=1, others=2)),
        (CLASSES, dict(CLASSES, cat=2), dict(exact=0, present=1, ratio=1, error=0.2, surplus=1, F1=10 / 11, others=0)),
        ({"cat": 2, "dog": 1}, {}, dict(exact=0, present=0, ratio=0, error=1.5, surplus=0, F1=0, others=0)),
        # A surplus of one class does not make up for another.
        ({"cat": 1, "dog": 1}, {"cat": 2}, dict(exact=0, present=0, ratio=0.5, error=1, surplus=1, F1=0.5, others=0)),
    ],
)
def test_measures(asked: dict[str, int], counted: dict[str, int], expected: dict[str, float]) -> None:
    assert measure(asked, counted) == pytest.approx(expected)


def cats(number: int, counted: int, prompt: str = "p", seed: int = 0, method: str = "none") -> Result:
    row = picture_row(
        family=MULTI_INSTANCE,
        number=number,
        prompt=f"{prompt} {number}",
        seed=seed,
        asked={"cat": number},
        method=method,
    )
    return Result(row, {"cat": counted})


def test_average_is_that_of_the_columns() -> None:
    """As in the paper's tables, each number weighs the same, however many pictures it has."""
    results = [cats(2, 2, seed=0), cats(2, 2, seed=1), cats(2, 1, seed=2), cats(2, 1, seed=3), cats(5, 5)]
    table = means(results)
    assert list(table) == ["2", "5", "average"]
    assert [table[column]["exact"] for column in table] == [0.5, 1.0, 0.75]
    assert {number: len(group) for number, group in by_number(reversed(results)).items()} == {2: 4, 5: 1}


def test_differences_are_of_the_same_noise() -> None:
    plain = [cats(2, 1, seed=0), cats(2, 2, seed=1), cats(2, 2, "q", seed=2), cats(3, 3, seed=3), cats(3, 0, seed=4)]
    other = [cats(2, 2, seed=0), cats(2, 2, seed=1), cats(2, 1, "q", seed=2), cats(3, 2, seed=3), cats(3, 3, seed=99)]
    table = differences(plain, other)
    assert table["2"]["exact"].mean == pytest.approx((0.5 - 1.0) / 2), "mean of the prompts' means"
    assert table["3"]["exact"].mean == -1, "seed 99 has no partner"
    assert table["3"]["exact"].interval is None, "one prompt says nothing about others"
    assert table["average"]["exact"].mean == pytest.approx((-0.25 - 1) / 2)
    low, high = table["2"]["exact"].interval
    assert (low, high) == (-1.0, 0.5), "the two prompts' own differences are the widest draw"
    assert differences(plain, []) == {}


def test_intervals_hold_what_they_promise() -> None:
    """About 95 of 100 repetitions have the true difference in their interval, here at 60 prompts of equal pictures."""
    rng, inside = np.random.default_rng(1), 0
    for _ in range(40):
        plain, other = [], []
        for prompt in range(60):
            gain = rng.random() < 0.3
            for seed in range(3):
                plain.append(cats(2, 1, f"p{prompt}", seed))
                other.append(cats(2, 2 if gain else 1, f"p{prompt}", seed))
        low, high = differences(plain, other)["2"]["exact"].interval
        inside += low <= 0.3 <= high
    assert inside >= 35


def box(x: float, y: float = 0, side: float = 10) -> tuple[float, float, float, float]:
    return x, y, x + side, y + side


def test_overlap() -> None:
    assert overlap(box(0), box(0)) == 1
    assert overlap(box(0), box(5)) == pytest.approx(1 / 3)
    assert overlap(box(0), box(20)) == 0
    assert overlap(box(0), (3, 3, 3, 3)) == 0 and box_area((5, 5, 2, 9)) == 0


def things(*detectors: list[Detection], least: float = 0.5) -> list[tuple[str, int]]:
    """(noun, how many detectors saw it) of what `agreed` keeps."""
    return sorted((group[0].noun, len(group)) for group in agreed(detectors, least))


def test_any_two_detectors_must_see_a_thing() -> None:
    first = [Detection("cat", 0.9, box(0)), Detection("cat", 0.8, box(50)), Detection("dog", 0.7, box(100))]
    second = [Detection("cat", 0.3, box(1)), Detection("cat", 0.3, box(100))]
    third = [Detection("cat", 0.6, box(51)), Detection("dog", 0.6, box(101)), Detection("cat", 0.5, box(2))]
    assert things(first, second) == [("cat", 1 + 1)], "another noun at the same place is another thing"
    assert things(first, second, third) == [("cat", 2), ("cat", 3), ("dog", 2)]
    assert things(first) == [("cat", 1), ("cat", 1), ("dog", 1)], "a single detector is believed"
    assert things(first, []) == [] and things([], []) == []


def test_a_detection_counts_once() -> None:
    """Two boxes of one detector over one box of another are one thing, the best pair first."""
    first = [Detection("cat", 0.5, box(2)), Detection("cat", 0.9, box(0))]
    second = [Detection("cat", 0.5, box(2.5))]
    (thing,) = agreed([first, second])
    assert {detection.box for detection in thing} == {box(2), box(2.5)}
    assert things(first, second, least=0.96) == []


def test_two_pairs_stay_two_things() -> None:
    """A row of boxes, each overlapping the next: pairs are the closest, and none is used twice."""
    first, second = [Detection("cat", 1, box(0)), Detection("cat", 1, box(4))], [Detection("cat", 1, box(1))]
    second.append(Detection("cat", 1, box(5)))
    assert things(first, second) == [("cat", 2), ("cat", 2)]
