"""Boxes of any detector as counts."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from headcount.core.counting.box import BoxSettings
from headcount.core.counting.boxes import count_boxes, counted_from_boxes
from headcount.core.counting.check import check_counts
from headcount.core.errors import CountError


def box(x: float = 2, y: float = 4, width: float = 6, height: float = 8, **more: Any) -> dict[str, Any]:
    return {"x": x, "y": y, "width": width, "height": height, **more}


def test_one_noun_needs_no_labels() -> None:
    counted = counted_from_boxes([[box(), box(10)], [], [box()]], ["cats"], 3)
    assert counted.nouns == ("cats",) and torch.equal(counted.numbers, torch.tensor([[2.0], [0.0], [1.0]]))
    assert counted.points == ((((5, 8), (13, 8)),), ((),), (((5, 8),),))


def test_one_list_is_of_one_picture() -> None:
    assert counted_from_boxes([box(), box()], ["cats"], 1).numbers.tolist() == [[2]]


@pytest.mark.parametrize("pictures", [1, 3])
def test_an_empty_list_is_nothing_found(pictures: int) -> None:
    counted = counted_from_boxes([], ["cats", "dogs"], pictures)
    assert counted.numbers.tolist() == [[0, 0]] * pictures and counted.points == (((), ()),) * pictures


def test_labels_tell_nouns_apart() -> None:
    labels = ("cat", "Cats", "red cat", "dog", "hot air balloon", "hot-air balloons", "balloon", "catfish")
    counted = counted_from_boxes([[box(label=label) for label in labels]], ["cats", "dog", "hot air balloons"], 1)
    assert counted.numbers.tolist() == [[3, 1, 2]]
    assert counted_from_boxes([[box(label=label) for label in labels]], ["mice"], 1).numbers.tolist() == [[0]]


@pytest.mark.parametrize(
    ("boxes", "nouns", "message"),
    [
        ([[box()], []], ["cats"], "boxes are of 2 images, but there is 1 image. Give the detector exactly these"),
        (
            {"x": 1},
            ["cats"],
            "a box is {'x': 1}, without y, width, height; boxes are dicts with x, y, width and height, in",
        ),
        (
            7,
            ["cats"],
            "boxes are a int, 7, but boxes are dicts with x, y, width and height, in one list per image; SEGS",
        ),
        ([{"x": 1, "y": 2}], ["cats"], "a box is .* without width, height"),
        ([(1, 2, 3)], ["cats"], "a box is 1, without x, y, width, height"),
        ([box(), [box()]], ["cats"], "a box is .* without x, y"),
        ([[box()]], ["cats", "dogs"], "several kinds of objects are asked for, and a box without a label"),
    ],
)
def test_what_it_says_to_wrong_boxes(boxes: Any, nouns: list[str], message: str) -> None:
    with pytest.raises(CountError, match=message):
        counted_from_boxes(boxes, nouns, 1)


def labelled(*labels: str, **more: Any) -> list[dict[str, Any]]:
    return [box(20 * place, label=label, **more) for place, label in enumerate(labels)]


def numbers(boxes: Any, nouns: list[str], **settings: float) -> list[float]:
    return counted_from_boxes([boxes], nouns, 1, BoxSettings(**settings)).numbers[0].tolist()


def table(boxes: Any, asked: dict[str, int], pictures: int = 1) -> str:
    found = count_boxes(boxes, asked, pictures)
    return check_counts(found.counted, found.asked, 0, found.notes).table


def test_plurals_of_every_kind() -> None:
    nouns = ["octopuses", "cactuses", "taxis", "menus", "irises"]
    assert numbers(labelled("octopus", "cactus", "taxi", "menu", "iris"), nouns) == [1] * 5
    assert numbers(labelled(*nouns), ["octopus", "cactus", "taxi", "menu", "iris"]) == [1] * 5


@pytest.mark.parametrize("label", ["cat 0.93", "cat: 0.93", "cat.", "CAT", "cat (93%)", "red_cats", "c ##at", "cat #2"])
def test_labels_as_detectors_write_them(label: str) -> None:
    assert numbers(labelled(label), ["dogs", "cats"]) == [0, 1]


@pytest.mark.parametrize("label", ["", "  ", " . ", None])
def test_an_empty_label_is_none(label: str | None) -> None:
    assert numbers([box(label=label)], ["cats"]) == [1]
    with pytest.raises(CountError, match="a box without a label could be any of them: 'cats' and 'dogs'"):
        numbers([box(label=label)], ["cats", "dogs"])


def test_a_box_belongs_to_the_longest_noun_that_fits() -> None:
    boxes = labelled("teddy bear", "brown teddy bears", "bear")
    assert numbers(boxes, ["teddy bears", "bear"]) == numbers(boxes, ["teddy-bear", "bears"]) == [2, 1]
    assert numbers(boxes, ["bear", "teddy bears"]) == [1, 2] and numbers(boxes, ["bears"]) == [3]
    assert numbers(labelled("hot dog", "dog"), ["dogs", "hot dogs"]) == [1, 1]


def test_kinds_of_people_that_a_detector_does_not_tell_apart() -> None:
    asked, three = {"women": 2, "dogs": 1, "man": 1}, labelled("person", "person", "dog", "person")
    assert table([three], asked).splitlines() == [
        "asked: 3 people, 1 dog",
        "image 1: 3 people, 1 dog: right",
        "the detector says only 'person', so 'women' and 'man' were not told apart; 3 people in all are right",
        "1 of 1 right; best: image 1",
    ]
    assert "2 people, 1 dog: wrong, off by 1" in table([three[1:]], asked)


def test_kinds_of_people_that_it_tells_apart() -> None:
    asked = {"women": 2, "man": 1}
    assert "2 women, 1 man: right" in table([labelled("woman", "man", "woman")], asked)
    assert "1 woman, 2 men: wrong" in table([labelled("woman", "man", "man")], {"woman": 2, "men": 1})
    mixed = table([labelled("woman", "person", "person")], asked)
    assert "1 woman, 0 man: wrong" in mixed and "told apart" not in mixed, "one label shows that it can"


def test_one_kind_of_people_and_people_of_every_kind() -> None:
    girls = table([labelled("person", "person")], {"girls": 2})
    assert (
        "2 girls: right" in girls and "'girls' were not told apart from other people" in girls and "seen" not in girls
    )
    assert "3 people: right" in table([labelled("woman", "boy", "person")], {"people": 3})
    assert "5 people: right" in table([labelled(*["person"] * 5)], {"people": 5, "women": 2, "men": 3})
    assert "3 people: right" in table([labelled(*["person"] * 3)], {"person": 1, "women": 2})
    assert "0 snowmen" in table([labelled("person")], {"snowmen": 1}), "which are no people"


def test_labels_seen_are_named_where_none_fits() -> None:
    seen = table([labelled("leaf", "leaf", "tree"), labelled("tree")], {"dancers": 2}, 2)
    assert seen.splitlines()[3] == "no box is labelled 'dancers'; labels seen: leaf (2), tree (2)"
    assert "labels seen" not in table([labelled("cat", "tree")], {"cats": 2}) + table([[]], {"cats": 2})
    many = table([labelled(*map("kind{}".format, "abcdefghijklmnop"))], {"cats": 2})
    assert many.splitlines()[2].endswith("kindl (1) and 4 more")


def test_a_hint_where_every_picture_has_one_bare_box() -> None:
    """ComfyUI's SAM3 Detect keeps one box per prompt unless told otherwise."""
    one = [box(score=0.9)]
    hint = "ComfyUI's SAM3 Detect keeps one box unless its text says how many to keep at most: 'cats:50'"
    assert table([one, one], {"cats": 5}, 2).splitlines()[3].endswith(hint)
    for boxes, asked in ([one, []], 5), ([one, [*one, box(90, score=0.8)]], 5), ([one, one], 1), ([[box()], one], 5):
        assert "SAM3" not in table(boxes, {"cats": asked}, 2)
    assert "SAM3" not in table([labelled("cat", score=0.9)], {"cats": 5})


def test_minimum_score() -> None:
    boxes = [box(0, label="cat", score=0.3), box(20, label="cat", score=0.5), box(40, label="cat")]
    assert numbers(boxes, ["cats"]) == [3] and numbers(boxes, ["cats"], minimum_score=0.5) == [2]
    assert numbers(boxes, ["cats"], minimum_score=1) == [1], "a box without a score always counts"
    found = count_boxes([boxes], {"cats": 2}, 1, BoxSettings(minimum_score=0.5))
    assert found.notes == ("boxes not counted: 1 below the minimum score of 0.5",)


def test_boxes_of_one_thing_count_once() -> None:
    twice = [box(0, 0, 50, 50, label="cat", score=0.3), box(1, 0, 50, 50, label="Cats 0.9", score=0.9)]
    assert numbers(twice, ["cats"]) == [1] and numbers(twice, ["cats"], merge_overlap=1) == [2]
    assert counted_from_boxes([twice], ["cats"], 1).points == ((((26, 25),),),), "the stronger one stays"
    (note,) = count_boxes([twice], {"cats": 1}, 1).notes
    assert note == "boxes not counted: 1 over another of the same label (merge overlap 0.9)"
    half = [box(0, 0, 50, 50, label="cat", score=0.3), box(25, 0, 50, 50, label="cat", score=0.9)]
    assert numbers(half, ["cats"]) == [2] and numbers(half, ["cats"], merge_overlap=0.3) == [1]


def test_only_boxes_of_one_label_and_with_scores_are_merged() -> None:
    same = [box(label="cat", score=0.9), box(label="dog", score=0.8)]
    assert numbers(same, ["cats", "dogs"], merge_overlap=0) == [1, 1]
    assert numbers([box(), box()], ["cats"], merge_overlap=0) == [2], "boxes without a score always count"
    empty = [box(width=0, score=0.9), box(width=0, score=0.9)]
    assert numbers(empty, ["cats"], merge_overlap=0) == [2], "nothing overlaps nothing"
    apart = [box(20 * place, score=0.5) for place in range(50)]
    assert numbers(apart, ["cats"], merge_overlap=0) == [50]
