"""Prompts for the Shapes model with what they ask for, and the groups that tables show them in."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from demo.counter import find_shapes
from demo.scenes import Kind, write_prompt
from demo.shapes import COLOURS, NOUNS


@dataclass(frozen=True)
class Case:
    """One prompt with its seed and what it asks for: "star", or "red star" where it names colours, to a number."""

    seed: int
    prompt: str
    asked: dict[str, int]
    names_colours: bool = False

    def count(self, picture: np.ndarray) -> dict[str, int]:
        """What a (SIZE, SIZE, 3) uint8 picture shows, in the words of `asked`."""
        shapes = find_shapes(picture)
        return dict(Counter(f"{one.colour} {one.noun}" if self.names_colours else one.noun for one in shapes))

    def is_exact(self, counted: Mapping[str, int]) -> bool:
        """Every noun as often as asked, in its colour where one is named, and nothing else."""
        return counted == self.asked

    def error(self, counted: Mapping[str, int]) -> int:
        """Sum over nouns of |counted - asked|."""
        return sum(abs(counted.get(n, 0) - self.asked.get(n, 0)) for n in {*counted, *self.asked})


def make_cases(single: int, several: int, seed: int, most: int = 6) -> list[Case]:
    """`single` prompts for 2 to `most` of one kind, `several` for two or three kinds (1 to 3, or 1 to 2, of each)."""
    rng = random.Random(seed)
    cases = []
    for index in range(single):
        kinds = (Kind(NOUNS[index % len(NOUNS)], 2 + index // len(NOUNS) % (most - 1)),)
        cases.append((kinds, write_prompt(kinds, rng)))
    for index in range(several):
        many = 2 + index % 2
        kinds = tuple(Kind(noun, rng.randint(1, 5 - many)) for noun in rng.sample(NOUNS, many))
        cases.append((kinds, write_prompt(kinds, rng)))
    return [
        Case(1000 * seed + index, prompt, {kind.noun: kind.count for kind in kinds})
        for index, (kinds, prompt) in enumerate(cases)
    ]


def make_coloured_cases(many: int, seed: int) -> list[Case]:
    """`many` prompts for two kinds, 1 or 2 of each, each with a colour of its own."""
    rng = random.Random(-1 - seed)
    cases = []
    for index in range(many):
        colours = rng.sample(list(COLOURS), 2)
        nouns = rng.sample(NOUNS, 2)
        kinds = tuple(Kind(noun, rng.randint(1, 2), colour) for noun, colour in zip(nouns, colours, strict=True))
        asked = {f"{kind.colour} {kind.noun}": kind.count for kind in kinds}
        cases.append(Case(1000 * seed + 500 + index, write_prompt(kinds, rng), asked, names_colours=True))
    return cases


def groups_of(cases: Sequence[Case], by_count: bool) -> dict[str, list[int]]:
    """Indices of the cases of each group, in the order in which a table shows them."""
    groups: dict[str, list[int]] = {}
    for index, case in enumerate(cases):
        if case.names_colours:
            groups.setdefault("2 kinds in 2 colours", []).append(index)
            continue
        one = len(case.asked) == 1
        names = ["one kind" if one else "2 to 3 kinds", "all without colours"]
        if one and by_count:
            names.append(f"{sum(case.asked.values())} of one kind")
        for name in names:
            groups.setdefault(name, []).append(index)
    last = ("one kind", "2 to 3 kinds", "all without colours", "2 kinds in 2 colours")
    return {
        name: groups[name]
        for name in sorted(groups, key=lambda name: (1 + last.index(name) if name in last else 0, name))
    }
