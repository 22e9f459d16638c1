"""Prompts for the Shapes model with what they ask for, as many as are wanted."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from demo.counter import find_shapes
from demo.scenes import Kind, write_prompt
from demo.shapes import NOUNS


@dataclass(frozen=True)
class Case:
    """One prompt with its seed and what it asks for: noun -> number."""

    seed: int
    prompt: str
    asked: dict[str, int]

    def count(self, picture: np.ndarray) -> dict[str, int]:
        """What a (SIZE, SIZE, 3) uint8 picture shows, in the words of `asked`."""
        return dict(Counter(one.noun for one in find_shapes(picture)))

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
