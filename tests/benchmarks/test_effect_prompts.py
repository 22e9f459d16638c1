"""The prompts that effects are measured on stay the same for good, are read back as they are meant, and keep the sets apart."""

from __future__ import annotations

import hashlib
from collections import Counter
from itertools import pairwise, product

import pytest
from headcount.core.counting import asked_numbers
from headcount.core.prompts import parse_prompt, same_noun

from benchmarks.lab.prompt_files import FOLDER, SEEDS_APART, SETS, read_prompts
from benchmarks.lab.write_prompt_files import make_prompts
from demo.emoji.vocabulary import FAMILIES, NOUNS
from demo.shapes import NOUNS as SHAPES_NOUNS

FROZEN = {
    "emoji_reporting.json": "072a031a63e945a31badeffa57cf6afe3381d939d0ca19169547cad8bdc14f89",
    "emoji_tuning.json": "89ba70b0d4542502dd3f571596837d96eb02b07748198dfd153101b62e243976",
    "shapes_reporting.json": "d6b58cb43ec6cdf237eb666f0c8012c07a150ff723516d6b1c0a1a4dd31894e1",
    "shapes_tuning.json": "9e082621a78d8940515cafa0da1661a767a4c7d7427632eb21b67195a5f596b5",
}
BOTH = ("emoji", "shapes")
FILES = list(product(BOTH, SETS))


@pytest.mark.parametrize("name", FROZEN)
def test_the_files_are_frozen(name: str) -> None:
    """Figures of different days are compared: a change means measuring everything afresh."""
    assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == FROZEN[name]


@pytest.mark.parametrize("family", BOTH)
def test_the_maker_makes_them(family: str) -> None:
    assert make_prompts(family) == {name: read_prompts(family, name) for name in SETS}


@pytest.mark.parametrize(("family", "prompt_set"), FILES)
def test_count_prompt_reads_them_back(family: str, prompt_set: str) -> None:
    for row in read_prompts(family, prompt_set):
        objects = parse_prompt(row.prompt)
        read = asked_numbers(objects)
        assert list(read.values()) == list(row.counts.values()), row.prompt
        assert all(map(same_noun, read, row.counts)), row.prompt
        colours = [(row.colours[noun],) if noun in row.colours else () for noun in row.counts]
        assert [one.attributes for one in objects] == colours, row.prompt


@pytest.mark.parametrize("family", BOTH)
def test_no_two_share_a_prompt_or_a_seed_that_a_search_may_try(family: str) -> None:
    rows = [row for prompt_set in SETS for row in read_prompts(family, prompt_set)]
    assert len({row.prompt for row in rows}) == len(rows) == 600
    seeds = sorted(row.seed for row in rows)
    assert min(after - before for before, after in pairwise(seeds)) >= SEEDS_APART


@pytest.mark.parametrize("prompt_set", SETS)
def test_emoji_prompts_are_as_planned(prompt_set: str) -> None:
    rows = read_prompts("emoji", prompt_set)
    groups = Counter(group for row in rows for group in row.groups)
    assert {groups[f"{count} of one kind"] for count in range(2, 13)} == {12}
    assert groups["similar kinds"] == groups["dissimilar kinds"] == 84
    assert (groups["one kind"], groups["2 kinds"], groups["3 or 4 kinds"]) == (132, 96, 72)
    family_of = {noun: family for family, nouns in FAMILIES.items() for noun in nouns}
    for row in rows:
        assert sum(row.counts.values()) <= 12 and set(row.counts) <= set(NOUNS)
        families = {family_of[noun] for noun in row.counts}
        if len(row.counts) > 1:
            alike, group = len(families) == 1, "similar kinds" if len(families) == 1 else "dissimilar kinds"
            assert group in row.groups and (alike or len(families) == len(row.counts)), row.prompt


def test_shapes_prompts_are_within_its_scenes() -> None:
    for row in read_prompts("shapes", "tuning"):
        assert sum(row.counts.values()) <= 8 and set(row.counts) <= set(SHAPES_NOUNS)
        assert bool(row.colours) == ("2 kinds in 2 colours" in row.groups)


def test_the_first_prompts_are_of_all_groups() -> None:
    for family, prompt_set in FILES:
        rows = read_prompts(family, prompt_set)
        every = {group for row in rows for group in row.groups}
        assert {group for row in rows[:40] for group in row.groups} == every, family
