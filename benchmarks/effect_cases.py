"""Prompts for the Shapes model with what they ask for, and what a picture of one shows."""

from __future__ import annotations

import random
from collections import Counter
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


@dataclass(frozen=True)
class Outcome:
    """What one picture shows, how long it took, and the objective's losses at each step of its run."""

    counted: dict[str, int]
    losses: list[float]
    seconds: float = 0.0

    def exact(self, case: Case) -> bool:
        """Every noun as often as asked, in its colour where one is named, and nothing else."""
        return self.counted == case.asked

    def error(self, case: Case) -> int:
        """Sum over nouns of |counted - asked|."""
        return sum(abs(self.counted.get(n, 0) - case.asked.get(n, 0)) for n in {*self.counted, *case.asked})


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
