"""The node Counts from Text, and adjectives from the prompt to the verdict."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
import torch
from headcount.core.counting import Counted
from headcount.core.errors import CountError
from headcount.core.prompts import Counts, parse_prompt
from headcount.nodes.count_check import CountCheck
from headcount.nodes.counts_from_text import CountsFromText
from headcount.nodes.t2icount_counter import T2ICountCounter

CARS = Counts("", parse_prompt("a red car and two blue cars"))


def read(text: Sequence[Any], **more: list[Any]) -> tuple[Counted, str]:
    counted, table = CountsFromText.execute(text=text, **more).args
    return counted, table


def verdicts(counted: Counted, counts: Counts, boxes: Any = None, pictures: int = 1) -> list[str]:
    image = torch.zeros(pictures, 8, 8, 3)
    out = CountCheck.execute(image, 0, "best picture", counted=counted, boxes=boxes, counts=counts)
    return out.args[5].splitlines()


def test_one_answer_for_each_picture() -> None:
    counted, table = read(["cats: 3", "three cats, one dog"], objects=["cats, dog"])
    assert counted.nouns == ("cats", "dogs") and counted.numbers.tolist() == [[3, 0], [3, 1]]
    assert table.splitlines() == [
        "image 1: 3 cats, 0 dogs",
        "image 2: 3 cats, 1 dog",
        "image 1: nothing is said of 'dogs', taken as 0",
    ]
    assert verdicts(counted, Counts("", parse_prompt("three cats and a dog")), pictures=2)[1:3] == [
        "image 1: 3 cats, 0 dogs: wrong, off by 1",
        "image 2: 3 cats, 1 dog: right",
    ]


def test_nouns_come_from_counts_or_the_objects_line() -> None:
    assert read(["1"], objects=["3 cats"])[0].nouns == ("cats",)
    assert read(["red cars: 1, blue cars: 2"], counts=[CARS])[0].nouns == ("red cars", "blue cars")
    assert read(["cats: 1"], counts=[CARS], objects=["cats"])[0].nouns == ("cats",)


@pytest.mark.parametrize(("text", "given"), [([], "nothing"), ([3], "a int")])
def test_what_is_no_text(text: list[Any], given: str) -> None:
    message = r"(Counts from Text got nothing\. Connect the text|text is 3; it must be a text)"
    with pytest.raises(CountError, match=message):
        read(text)


class ReadsAdjectives:
    """A counter of known answers: one red car, two blue ones."""

    reads_attributes = True

    def count(self, images: torch.Tensor, nouns: Sequence[str]) -> Counted:
        known = {"red cars": 1.0, "blue cars": 2.0, "cars": 3.0}
        numbers = torch.tensor([[known[noun] for noun in nouns]] * len(images))
        return Counted(tuple(nouns), numbers, (((),) * len(nouns),) * len(images))


class ReadsNone(ReadsAdjectives):
    reads_attributes = False


def test_red_and_blue_cars_are_two_questions() -> None:
    image = torch.zeros(1, 8, 8, 3)
    counted = T2ICountCounter.execute(ReadsAdjectives(), image, "", "short side", counts=CARS).args[6]
    assert counted.nouns == ("red cars", "blue cars")
    assert verdicts(counted, CARS) == [
        "asked: 1 red car, 2 blue cars",
        "image 1: 1 red car, 2 blue cars: right",
        "1 of 1 right; best: image 1",
    ]


def test_the_table_says_where_adjectives_do_not_matter() -> None:
    counted = T2ICountCounter.execute(ReadsNone(), torch.zeros(1, 8, 8, 3), "", "short side", counts=CARS).args[6]
    assert counted.nouns == ("cars",)
    assert verdicts(counted, CARS)[-2] == (
        "red car, blue cars: counted together as cars, since adjectives were not told apart"
    )


def test_labels_of_a_detector_may_have_adjectives() -> None:
    def box(x: int, label: str) -> dict[str, Any]:
        return {"x": x, "y": 0, "width": 2, "height": 2, "label": label, "score": 0.9}

    three = [box(0, "red car"), box(3, "blue car"), box(6, "blue car")]
    assert verdicts(None, CARS, [three])[1] == "image 1: 1 red car, 2 blue cars: right"
    assert verdicts(None, CARS, [[{**one, "label": "car"} for one in three]])[1:3] == [
        "image 1: 3 car: right",
        "red car, blue cars: counted together as cars, since adjectives were not told apart",
    ]
