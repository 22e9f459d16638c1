"""The labels fit their pictures, and the tables count what they say."""

from __future__ import annotations

import numpy as np

from benchmarks.labelled_pictures import (
    SIDE,
    Labelled,
    agreement,
    counted,
    differences,
    equal_kinds,
    labelled,
)
from demo.emoji.judge import load_judge
from demo.emoji.vocabulary import NOUNS


def picture(asked: dict[str, int], seen: dict[str, int], method: str = "plain", is_clear: bool = True) -> Labelled:
    return Labelled(method, "a prompt", asked, 0, seen, is_clear)


def test_the_labels_are_of_the_pictures() -> None:
    labels, pictures = labelled()
    assert pictures.shape == (200, SIDE, SIDE, 3) and pictures.dtype == np.uint8
    assert len({one.tobytes() for one in pictures}) == len(labels) == 200
    assert sum(one.method == "plain" for one in labels) == 100
    assert all({*one.counts, *one.seen} <= {*NOUNS} and min(one.seen.values(), default=1) > 0 for one in labels)


def test_the_judge_sees_what_both_readings_were_sure_of() -> None:
    """Pictures in another order would agree by chance only."""
    labels, pictures = labelled()
    clear = [place for place, one in enumerate(labels) if one.is_clear][:20]
    found = counted(load_judge(), pictures[clear])
    assert sum(dict(labels[place].seen) == dict(own) for place, own in zip(clear, found, strict=True)) >= 10


def test_a_kind_counts_where_it_was_asked_for_or_seen() -> None:
    one = picture({"cat": 2, "dog": 1}, {"cat": 2, "cow": 1})
    assert equal_kinds(one, {"cat": 2}) == [True, False, True]  # cat, cow, and no dog, as the label says
    assert equal_kinds(one, {"cat": 3, "cow": 1, "cup": 1}) == [False, True, False, True]


def test_agreement_by_group() -> None:
    labels = [picture({"cat": 1}, {"cat": 1}), picture({"cat": 1}, {"cat": 2}, "search", False)]
    lines = agreement(labels, {"judge": [{"cat": 1}, {"cat": 1}]})
    rows = [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:]]
    assert [row[1:3] for row in rows] == [
        ["all", "2"],
        ["clear", "1"],
        ["plain", "1"],
        ["winners of search and steering", "1"],
    ]
    assert [row[4] for row in rows] == ["50.0", "100.0", "100.0", "0.0"]
    assert rows[1][3] == "100.0 (100.0 to 100.0) of 1"


def test_pictures_that_counters_differ_about_are_listed() -> None:
    labels = [picture({"cat": 1}, {"cat": 1}), picture({"cat": 1}, {"cat": 2})]
    lines = differences(labels, {"judge": [{"cat": 1}, {"cat": 1}], "decider": [{"cat": 1}, {"cat": 3}]})
    assert len(lines) == 3
    assert [cell.strip() for cell in lines[2].split("|")[1:-1]] == [
        "1",
        "a prompt",
        *(f"{{'cat': {n}}}" for n in (2, 1, 3)),
    ]
