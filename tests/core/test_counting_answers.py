"""Answers of language models to counts."""

from __future__ import annotations

import pytest
from headcount.core.counting import asked_as_counted, asked_numbers, read_answers
from headcount.core.errors import CountError
from headcount.core.prompts import parse_prompt
from hypothesis import given
from hypothesis import strategies as st

BOTH = ["cats", "dogs"]


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("cats: 3, dogs: 2", [3, 2]),
        ("**Cats:** 3\n- Dogs: none", [3, 0]),
        ("Cats = three; Dogs = 0.", [3, 0]),
        ("cat x3, dog x2", [3, 2]),
        ('{"cats": 3, "dogs": 0}', [3, 0]),
        ('Here you are:\n```json\n{"counts": {"cat": "3", "dog": 2}}\n```', [3, 2]),
        ('```json\n[{"object": "cat", "count": 3}, {"object": "dog", "count": 1}]\n```', [3, 1]),
        (
            '[{"bbox_2d": [1, 2, 3, 4], "label": "cat"}, {"bbox_2d": [5, 6, 7, 8], "label": "cat"}, {"label": "dog"}]',
            [2, 1],
        ),
        ("three cats and two dogs", [3, 2]),
        ("There are 3 cats and no dogs in the image.", [3, 0]),
        ("<think>cats: 5? no</think>cats: 3, dogs: 2", [3, 2]),
        ("cats: 5</think>cats: 3, dogs: 2", [3, 2]),
        ("cats: 4, dogs: 1. Wait. cats: 3, dogs: 1", [3, 1]),
    ],
)
def test_answers_for_two_nouns(answer: str, numbers: list[int]) -> None:
    read = read_answers([answer], BOTH)
    assert read.counted.nouns == ("cats", "dogs") and read.counted.numbers.tolist() == [numbers]
    assert read.notes == () and read.counted.boxes is None and read.counted.points == (((), ()),)


@pytest.mark.parametrize(
    ("answer", "number"),
    [
        ("3", 3), ("Three.", 3), ("There are three.", 3), ("Count: 4", 4), ("None", 0), ("0", 0), ("a cat", 1),
        ("I see one black cat and two white cats.", 3), ("There are twelve cats: 5 black and 7 white.", 12),
        ("black cats: 1, white cats: 2", 3), ("The number of cats in the image is 4.", 4), ("Final answer: **6**", 6),
        ("cats: 1\ncats: 2", 2),
    ],
)  # fmt: skip
def test_answers_for_one_noun(answer: str, number: int) -> None:
    assert read_answers([answer], ["cats"]).counted.numbers.tolist() == [[number]]


def test_adjectives_are_kept() -> None:
    asked = ["red cars", "blue cars"]
    for answer in ("red cars: 1, blue cars: 2", "1 red car and 2 blue cars", '{"red car": 1, "blue car": 2}'):
        assert read_answers([answer], asked).counted.numbers.tolist() == [[1, 2]], answer


def test_several_images_and_nouns_of_the_answers() -> None:
    read = read_answers(["cats: 3", "two dogs and a cat"], [])
    assert read.counted.nouns == ("cats", "dogs") and read.counted.numbers.tolist() == [[3, 0], [1, 2]]
    assert read.notes == ("image 1: nothing is said of 'dogs', taken as 0",)


@pytest.mark.parametrize(
    ("answer", "nouns"), [("many", BOTH), ("3", BOTH), ("3 or 4", ["cats"]), ("", ["cats"]), ("", [])]
)
def test_answers_without_a_number(answer: str, nouns: list[str]) -> None:
    with pytest.raises(
        CountError, match=r"^the answer for image 2 says no number.*: '.*'\. It has to be like 'cats: 3, d"
    ):
        read_answers(["cats: 3, dogs: 1", answer], nouns)


@given(st.text(max_size=60), st.sampled_from([["cats"], BOTH, []]))
def test_any_text_is_read_or_refused(answer: str, nouns: list[str]) -> None:
    try:
        numbers = read_answers([answer], nouns).counted.numbers
    except CountError:
        return
    assert (numbers >= 0).all() and numbers.isfinite().all()


def test_adjectives_belong_to_what_is_asked() -> None:
    objects = parse_prompt("one red car, two blue cars and a dog")
    assert asked_numbers(objects, attributes=True) == {"red car": 1, "blue cars": 2, "dog": 1}
    assert asked_as_counted(objects, ["red cars", "blue cars", "dogs"]) == (asked_numbers(objects, True), "")
    plain, told = asked_as_counted(objects, ["cars", "dogs"])
    assert plain == {"car": 3, "dog": 1}
    assert told == "red car, blue cars: counted together as cars, since adjectives were not told apart"
    assert asked_as_counted(parse_prompt("two red cars"), ["cars"]) == ({"cars": 2}, "")
    assert asked_as_counted(objects, ["red cars", "dogs"])[0] == {"red car": 1, "cars": 2, "dog": 1}
