"""Asked against counted."""

from __future__ import annotations

import pytest
import torch
from headcount.core.counting.asked import asked_numbers, columns_of
from headcount.core.counting.check import check_counts
from headcount.core.counting.counted import Counted
from headcount.core.counting.ranking import misses
from headcount.core.counting.wording import count_words
from headcount.core.errors import CountError
from headcount.core.prompts import CountedObject, parse_prompt
from hypothesis import given
from hypothesis import strategies as st


def counted(nouns: tuple[str, ...], *rows: tuple[float, ...]) -> Counted:
    numbers = torch.tensor(rows, dtype=torch.float32).reshape(len(rows), len(nouns))
    return Counted(nouns, numbers, tuple(tuple(() for _ in nouns) for _ in rows))


@pytest.mark.parametrize(
    ("number", "noun", "text"),
    [
        (7.2, "cats", "7 cats (7.2)"),
        (7, "cats", "7 cats"),
        (0.0, "cats", "0 cats"),
        (0.3, "cats", "0 cats (0.3)"),
        (1.2, "red mice", "1 red mouse (1.2)"),
        (2.5, "cats", "3 cats (2.5)"),
        (1999.96, "birds", "2000 birds"),
    ],
)
def test_counts_in_words(number: float, noun: str, text: str) -> None:
    assert count_words(number, noun) == text


def test_asked_numbers_add_up_over_adjectives() -> None:
    assert asked_numbers(parse_prompt("two red cats, a dog and a blue cat")) == {"cats": 3, "dog": 1}
    assert asked_numbers(()) == {}


def test_columns_match_singular_and_plural() -> None:
    assert columns_of(counted(("dogs", "Cats"), (1, 2)), ["cat", "dog"]) == [1, 0]


def test_a_noun_that_was_not_counted() -> None:
    with pytest.raises(CountError, match=r"'mice' was not counted. Asked for: cats, mice; counted: cats, dogs\. Give"):
        check_counts(counted(("cats", "dogs"), (1, 2)), {"cats": 1, "mice": 2})


def test_right_best_and_table() -> None:
    seen = counted(("dogs", "cats", "hats"), (1, 2.3, 7), (1.2, 3.1, 0), (4, 3, 0))
    found = check_counts(seen, {"cats": 3, "dog": 1})
    assert (found.right, found.best) == ((1,), 1)
    assert found.table.splitlines() == [
        "asked: 3 cats, 1 dog",
        "image 1: 2 cats (2.3), 1 dog: wrong, off by 1",
        "image 2: 3 cats (3.1), 1 dog (1.2): right",
        "image 3: 3 cats, 4 dogs: wrong, off by 3",
        "1 of 3 right; best: image 2",
    ]


@pytest.mark.parametrize(("tolerance", "right"), [(0, (1,)), (1, (0, 1)), (2, (0, 1, 2)), (9, (0, 1, 2, 3))])
def test_tolerance_is_per_noun(tolerance: int, right: tuple[int, ...]) -> None:
    seen = counted(("cats", "dogs"), (4, 2), (3, 1), (3, 3), (9, 1))
    assert check_counts(seen, {"cats": 3, "dogs": 1}, tolerance).right == right


def test_a_right_picture_is_best_even_if_another_is_off_by_fewer() -> None:
    seen = counted(("cats", "dogs", "hats"), (3, 1, 1), (2, 2, 2))
    found = check_counts(seen, {"cats": 1, "dogs": 1, "hats": 1}, 1)
    assert (found.right, found.best) == ((1,), 1)


def test_ties_go_to_the_nearer_exact_count_then_to_the_first() -> None:
    assert check_counts(counted(("cats",), (3.4,), (2.9,), (2.9,)), {"cats": 3}).best == 1
    assert check_counts(counted(("cats",), (5.0,), (1.0,)), {"cats": 3}).best == 0


@given(
    st.lists(st.tuples(st.floats(0, 20), st.floats(0, 20)), min_size=1, max_size=6),
    st.integers(1, 9),
    st.integers(0, 2),
)
def test_like_a_plain_loop(rows: list[tuple[float, float]], cats: int, tolerance: int) -> None:
    seen = counted(("cats", "dogs"), *rows)
    found = check_counts(seen, {"cats": cats, "dogs": 2}, tolerance)
    whole = seen.rounded.tolist()
    assert found.right == tuple(
        i for i, (a, b) in enumerate(whole) if abs(a - cats) <= tolerance and abs(b - 2) <= tolerance
    )
    sums = [abs(a - cats) + abs(b - 2) for a, b in whole]
    assert misses(seen, {"cats": cats, "dogs": 2}).tolist() == sums
    among = found.right or range(len(rows))
    assert found.best in among and sums[found.best] == min(sums[i] for i in among)


def test_nothing_asked_and_no_pictures() -> None:
    with pytest.raises(CountError, match="nothing is asked for: the prompt states no number of objects"):
        check_counts(counted(("cats",), (1,)), {})
    with pytest.raises(CountError, match="the counts are of no image"):
        check_counts(counted(("cats",)), asked_numbers([CountedObject("cats", 1)]))
