"""The prompts of IntraCompBench are those of the paper, in English, and Count Prompt reads them as they are meant."""

from __future__ import annotations

import math
from collections import Counter

import pytest
from headcount.core.prompts import parse_prompt
from headcount.core.prompts.plurals import same_noun

from benchmarks.intracomp_parts.prompts import (
    INTRACOMP,
    MULTI_CLASS,
    MULTI_INSTANCE,
    SHAPES,
    Ask,
    class_combinations,
    make_asks,
    multi_class_prompt,
    multi_instance_prompt,
)

# Table 6 of the paper: combinations of 2, 3, 4 and 5 classes, and of the share of 20 % at 5.
COMBINATIONS = {
    "animal": (36, 84, 126, 126),
    "vehicle": (28, 56, 70, 56),
    "sports": (45, 120, 210, 252),
    "food": (45, 120, 210, 252),
}
USED_OF_FIVE = {"animal": 25, "vehicle": 11, "sports": 50, "food": 50}


def test_classes_and_combinations_are_the_papers() -> None:
    assert {name: len(nouns) for name, nouns in INTRACOMP.categories.items()} == {
        "animal": 9,
        "vehicle": 8,
        "sports": 10,
        "food": 10,
    }
    for name, nouns in INTRACOMP.categories.items():
        assert tuple(math.comb(len(nouns), k) for k in (2, 3, 4, 5)) == COMBINATIONS[name]
        assert len(class_combinations(nouns, 5, 0)) == USED_OF_FIVE[name]
    assert [sum(row) for row in zip(*COMBINATIONS.values(), strict=True)] == [154, 380, 616, 686]
    numbers = Counter((ask.family, ask.number) for ask in make_asks(INTRACOMP))
    assert [numbers[MULTI_CLASS, k] for k in (2, 3, 4, 5)] == [31, 76, 123, 136]
    assert [numbers[MULTI_INSTANCE, n] for n in (2, 3, 4, 5)] == [37] * 4


def test_what_prompts_ask_for() -> None:
    asks = make_asks(INTRACOMP)
    assert len({ask.prompt for ask in asks}) == len(asks)
    for ask in asks:
        assert any(set(ask.asked) <= set(nouns) for nouns in INTRACOMP.categories.values()), "all of one category"
        if ask.family == MULTI_CLASS:
            assert list(ask.asked.values()) == [1] * ask.number
        else:
            assert list(ask.asked.values()) == [ask.number]


def test_wording() -> None:
    nouns = ("elephant", "apple", "sports ball")
    assert multi_class_prompt(INTRACOMP, nouns) == "A photo of an elephant, an apple, and a sports ball."
    assert multi_class_prompt(INTRACOMP, nouns[:2]) == "A photo of an elephant and an apple."
    plurals = {
        noun: multi_instance_prompt(INTRACOMP, noun, 3) for noun in ("sheep", "bus", "sandwich", "ski", "hot dog")
    }
    assert list(plurals.values()) == [
        f"A photo of three {words}." for words in ("sheep", "buses", "sandwiches", "skis", "hot dogs")
    ]
    assert multi_instance_prompt(SHAPES, "cross", 4) == "a photo of four crosses"


@pytest.mark.parametrize("vocabulary", [INTRACOMP, SHAPES], ids=lambda v: v.name)
def test_count_prompt_reads_every_prompt(vocabulary) -> None:
    for ask in make_asks(vocabulary):
        found = [(item.noun, item.count) for item in parse_prompt(ask.prompt)]
        assert [count for _, count in found] == list(ask.asked.values()), ask.prompt
        for (noun, _), asked in zip(found, ask.asked, strict=True):
            assert same_noun(noun, asked) or noun == vocabulary.plural(asked), ask.prompt


def test_prompts_follow_from_their_seed() -> None:
    assert make_asks(INTRACOMP) == make_asks(INTRACOMP)
    assert make_asks(INTRACOMP, 1) != make_asks(INTRACOMP)
    some = make_asks(INTRACOMP, limit=40)
    assert some == make_asks(INTRACOMP)[:40]
    assert set(Counter((ask.family, ask.number) for ask in some).values()) == {5}, "evenly of every family and number"
    ask = some[0]
    assert len({ask.seed(image) for ask in some for image in range(10)}) == 400
    assert Ask(ask.family, ask.number, ask.prompt, {}).seed(3) == ask.seed(3)
