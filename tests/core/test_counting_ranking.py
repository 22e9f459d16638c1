"""How far counts are from what is asked."""

from __future__ import annotations

import pytest
import torch
from headcount.core.counting.counted import Counted
from headcount.core.counting.ranking import distances, misses
from headcount.core.errors import CountError
from hypothesis import given
from hypothesis import strategies as st


def counted(*rows: tuple[float, ...], nouns: tuple[str, ...] = ("dogs", "cats", "hats")) -> Counted:
    numbers = torch.tensor(rows, dtype=torch.float32)
    return Counted(nouns, numbers, tuple(tuple(() for _ in nouns) for _ in rows))


def test_misses_are_whole_and_sum_over_what_is_asked() -> None:
    seen = counted((1.4, 2.5, 9), (0, 3, 0), (4.6, 1.4, 3))
    assert misses(seen, {"cat": 3, "dog": 1}).tolist() == [0, 1, 6]
    assert misses(seen, {"cats": 3}).tolist() == [0, 0, 2]


def test_distances_tell_equal_misses_apart() -> None:
    seen = counted((1.4, 2.5, 9), (1, 3.1, 0))
    assert misses(seen, {"cats": 3, "dogs": 1}).tolist() == [0, 0]
    torch.testing.assert_close(distances(seen, {"cats": 3, "dogs": 1}), torch.tensor([0.9, 0.1]))


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9), st.integers(0, 9)), min_size=1), st.integers(0, 9))
def test_whole_counts_miss_by_their_distance(rows: list[tuple[int, int, int]], asked: int) -> None:
    seen = counted(*rows)
    assert misses(seen, {"dogs": asked, "hats": 2}).tolist() == distances(seen, {"dogs": asked, "hats": 2}).tolist()


def test_a_noun_that_was_not_counted() -> None:
    for measure in (misses, distances):
        with pytest.raises(CountError, match="'mice' was not counted"):
            measure(counted((1, 2, 3)), {"mice": 1})
