"""The prompts of IntraCompBench, the benchmark of the ISAC paper (arXiv 2505.20935v1, section 4, tables 5 and 6).

Multi-class prompts ask for one each of k classes that are hard to tell apart, all from one category; multi-instance prompts
ask for n of one class. The paper names classes, templates, the number of combinations and the share of them that is used,
but not which ones: they are drawn here with a seed. Where it would write "a skis" and "sheeps", this writes English.
"""

from __future__ import annotations

import hashlib
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations, zip_longest
from pathlib import Path

from demo.shapes import NOUNS, PLURALS

from ..lab.detectors import with_article
from ..lab.published_prompts import evenly, read_published

MULTI_CLASS, MULTI_INSTANCE = "multi-class", "multi-instance"
FAMILIES = (MULTI_CLASS, MULTI_INSTANCE)
NUMBERS = {2: "two", 3: "three", 4: "four", 5: "five"}
SHARE = 0.2  # of the combinations of a category, as in the paper


@dataclass(frozen=True)
class Vocabulary:
    """The nouns of a benchmark.

    Attributes:
        name: what reports call it.
        categories: category -> its nouns, singular.
        plurals: plurals that are not the noun and an "s".
        frame: the prompt, with {} for the list of things.
    """

    name: str
    categories: Mapping[str, tuple[str, ...]]
    plurals: Mapping[str, str] = field(default_factory=dict)
    frame: str = "A photo of {}."

    def plural(self, noun: str) -> str:
        """The plural of one of the nouns."""
        return self.plurals.get(noun, noun + "s")


@dataclass(frozen=True)
class Ask:
    """One prompt of a benchmark.

    Attributes:
        family: `MULTI_CLASS` or `MULTI_INSTANCE`; the name of the file of another benchmark.
        number: k, how many classes, or n, how many instances.
        prompt: the text.
        asked: singular noun -> how many of it.
    """

    family: str
    number: int
    prompt: str
    asked: Mapping[str, int]

    def seed(self, image: int) -> int:
        """Seed of the noise of one of the prompt's pictures: the same in every method, model and order of prompts."""
        digest = hashlib.sha256(f"{self.prompt} {image}".encode()).digest()
        return int.from_bytes(digest[:6], "big")


INTRACOMP = Vocabulary(
    "IntraCompBench",
    {
        "animal": ("cat", "dog", "horse", "sheep", "cow", "elephant", "bear", "zebra", "giraffe"),
        "vehicle": ("bicycle", "car", "motorcycle", "airplane", "bus", "train", "truck", "boat"),
        "sports": (
            *("skateboard", "snowboard", "ski", "sports ball", "baseball bat", "baseball glove", "tennis racket"),
            *("surfboard", "kite", "frisbee"),
        ),
        "food": (
            *("banana", "apple", "sandwich", "orange", "broccoli", "carrot", "hot dog", "pizza", "donut", "cake"),
        ),
    },
    {"sheep": "sheep", "bus": "buses", "sandwich": "sandwiches", "broccoli": "broccoli"},
)
# Framed as the scenes are that the Shapes model learnt from, which end without a full stop.
SHAPES = Vocabulary("Shapes", {"shape": NOUNS}, PLURALS, "a photo of {}")


def class_combinations(nouns: Sequence[str], k: int, seed: int | str) -> list[tuple[str, ...]]:
    """The share of a category's combinations of `k` nouns that is used, drawn with `seed`, in random order."""
    every = list(combinations(nouns, k))
    return random.Random(seed).sample(every, round(SHARE * len(every)))


def multi_class_prompt(vocabulary: Vocabulary, nouns: Sequence[str]) -> str:
    """ "A photo of a cat, a dog, and an elephant." """
    things = [with_article(noun) for noun in nouns]
    listed = " and ".join(things) if len(things) == 2 else ", ".join(things[:-1]) + ", and " + things[-1]
    return vocabulary.frame.format(listed)


def multi_instance_prompt(vocabulary: Vocabulary, noun: str, number: int) -> str:
    """ "A photo of three sheep." """
    return vocabulary.frame.format(f"{NUMBERS[number]} {vocabulary.plural(noun)}")


def make_asks(vocabulary: Vocabulary, seed: int = 0, limit: int | None = None) -> list[Ask]:
    """The prompts of a benchmark.

    Args:
        vocabulary: `INTRACOMP` or `SHAPES`.
        seed: which combinations of classes are used; 0 is what published figures should use.
        limit: at most so many prompts in all, as evenly as can be over families, numbers and categories.
    """
    # Taken in turn from every group, so that any limit is a fair sample of the whole.
    groups = [_group(vocabulary, family, number, seed) for number in NUMBERS for family in FAMILIES]
    return _in_turn(groups)[:limit]


def asks_of_file(file: Path, limit: int | None = None) -> list[Ask]:
    """The prompts of another benchmark's file, see `read_published`; their number is that of all things asked for.

    Args:
        limit: at most so many, evenly over the file.
    """
    found = evenly(read_published(file), limit)
    return [Ask(file.stem, sum(counts.values()), prompt, counts) for prompt, counts in found]


def _group(vocabulary: Vocabulary, family: str, number: int, seed: int) -> list[Ask]:
    """Every prompt of one family and number, the categories in turn."""
    return _in_turn([list(_asks(vocabulary, family, number, name, seed)) for name in vocabulary.categories])


def _asks(vocabulary: Vocabulary, family: str, number: int, category: str, seed: int) -> Iterator[Ask]:
    nouns, name = vocabulary.categories[category], f"{seed} {category} {number}"
    if family == MULTI_CLASS:
        for chosen in class_combinations(nouns, number, name):
            yield Ask(family, number, multi_class_prompt(vocabulary, chosen), dict.fromkeys(chosen, 1))
    else:
        for noun in random.Random(name).sample(nouns, len(nouns)):
            yield Ask(family, number, multi_instance_prompt(vocabulary, noun, number), {noun: number})


def _in_turn(groups: Sequence[Sequence[Ask]]) -> list[Ask]:
    return [ask for turn in zip_longest(*groups) for ask in turn if ask is not None]
