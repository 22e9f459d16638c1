"""Intervals of shares and of their paired difference, against published examples and against what they promise."""

from __future__ import annotations

import numpy as np
import pytest
from headcount.core.counting import paired_difference, share_interval
from hypothesis import given
from hypothesis import strategies as st


def test_wilson() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 857, table I, method 3: 81 of 263, 15 of 148, 0 of 20, 1 of 29."""
    published = {
        (81, 263): (0.2553, 0.3662),
        (15, 148): (0.0624, 0.1605),
        (0, 20): (0.0, 0.1611),
        (1, 29): (0.0061, 0.1718),
    }
    for (right, cases), interval in published.items():
        assert share_interval(right, cases) == pytest.approx(interval, abs=1e-4)
    assert share_interval(0, 0) == (0.0, 1.0)


def test_newcombe() -> None:
    """Newcombe, Statistics in Medicine 17 (1998) 2635, table III, method 10: (36, 12, 2, 0)."""
    after = [True] * 36 + [True] * 12 + [False] * 2
    before = [True] * 36 + [False] * 12 + [True] * 2
    difference, interval = paired_difference(before, after)
    assert difference == pytest.approx(0.2) and interval == pytest.approx((0.0569, 0.3404), abs=1e-4)


@given(st.lists(st.tuples(st.booleans(), st.booleans()), max_size=30))
def test_the_difference_lies_in_its_interval_and_turns_round(pairs: list[tuple[bool, bool]]) -> None:
    before, after = [one for one, _ in pairs], [other for _, other in pairs]
    difference, (low, high) = paired_difference(before, after)
    assert -1 <= low <= difference <= high <= 1
    turned, (lower, higher) = paired_difference(after, before)
    assert (turned, lower, higher) == pytest.approx((-difference, -high, -low), abs=1e-9)


def test_it_holds_for_a_dozen_cases() -> None:
    """Of 95 % intervals at least 93 % hold the truth, also where both shares hang together."""
    random = np.random.default_rng(0)
    held = 0
    for _ in range(2000):
        ease = random.random(12)
        before, after = ease > 0.6, (ease > 0.3) & (random.random(12) > 0.1)
        low, high = paired_difference(before.tolist(), after.tolist())[1]
        held += low <= 0.7 * 0.9 - 0.4 <= high
    assert held / 2000 > 0.93
