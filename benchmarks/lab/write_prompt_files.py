"""Makes the files of `prompt_files`, the same in every call: `python -m benchmarks.lab.write_prompt_files`."""

from __future__ import annotations

import json
import random
from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from demo import scenes as shapes
from demo import shapes as shapes_words
from demo.emoji import prompts as emoji
from demo.emoji.backgrounds import KINDS as BACKGROUNDS
from demo.emoji.scenes import MAX_OF_A_KIND
from demo.emoji.sprites import colours_of
from demo.emoji.vocabulary import FAMILIES, NOUNS
from demo.scenes import Kind

from .prompt_files import FOLDER, SEEDS_APART, SETS, PromptRow

_FIRST_SEED = {"emoji": 1_000_000, "shapes": 3_000_000}
_SEEDS_OF_A_SET = 1_000_000
_SIMILAR = ("animals", "fruits", "vehicles")  # the family "things" is a rest whose kinds are not alike
_COLOURED = 0.4  # of the Emoji kinds that come in colours, as in its scenes
NumberedKinds = Callable[[int, random.Random], Sequence[Any]]
"""The kinds of the i-th prompt of a stratum."""


def _one_emoji(place: int, rng: random.Random) -> list[Kind]:
    return [_emoji_kind(NOUNS[place % len(NOUNS)], 2 + place % (emoji.MAX_COUNT - 1), rng)]


def _emoji_kind(noun: str, count: int, rng: random.Random) -> Kind:
    colours = colours_of(noun)
    return Kind(noun, count, rng.choice(colours) if colours and rng.random() < _COLOURED else None)


def _several_emoji(many: int, similar: bool) -> NumberedKinds:
    """So many kinds of one family, or each of a family of its own."""

    def kinds(_: int, rng: random.Random) -> list[Kind]:
        if similar:
            nouns = rng.sample(FAMILIES[rng.choice(_SIMILAR)], many)
        else:
            nouns = [rng.choice(family) for family in rng.sample(tuple(FAMILIES.values()), many)]
        return [_emoji_kind(noun, rng.randint(1, MAX_OF_A_KIND[many]), rng) for noun in nouns]

    return kinds


def _one_shape(place: int, _: random.Random) -> list[Kind]:
    nouns = shapes_words.NOUNS
    return [Kind(nouns[place % len(nouns)], 2 + place % (shapes.MAX_COUNT - 1))]


def _several_shapes(many: int, coloured: bool = False) -> NumberedKinds:
    """So many kinds, at most `MAX_COUNT` in all; with colours 1 or 2 of each, so that plain pictures are right at times."""

    def kinds(_: int, rng: random.Random) -> list[Kind]:
        most = 2 if coloured else 6 - many
        colours = rng.sample(tuple(shapes_words.COLOURS), many) if coloured else [None] * many
        counts = [rng.randint(1, most) for _ in range(many)]
        counts[-1] = min(counts[-1], shapes.MAX_COUNT - sum(counts[:-1]))
        return [Kind(*parts) for parts in zip(rng.sample(shapes_words.NOUNS, many), counts, colours, strict=True)]

    return kinds


# Name -> groups, number of prompts, kinds.
_EMOJI = [
    (("one kind",), 132, _one_emoji),
    (("2 kinds", "similar kinds"), 48, _several_emoji(2, True)),
    (("2 kinds", "dissimilar kinds"), 48, _several_emoji(2, False)),
    (("3 or 4 kinds", "similar kinds"), 24, _several_emoji(3, True)),
    (("3 or 4 kinds", "dissimilar kinds"), 24, _several_emoji(3, False)),
    (("3 or 4 kinds", "similar kinds"), 12, _several_emoji(4, True)),
    (("3 or 4 kinds", "dissimilar kinds"), 12, _several_emoji(4, False)),
]
_SHAPES = [
    (("one kind",), 140, _one_shape),
    (("2 kinds",), 70, _several_shapes(2)),
    (("3 or 4 kinds",), 50, _several_shapes(3)),
    (("2 kinds in 2 colours",), 40, _several_shapes(2, coloured=True)),
]


def _words(family: str, kinds: Sequence[Any], rng: random.Random) -> str:
    if family == "shapes":
        return shapes.write_prompt(tuple(kinds), rng)
    return emoji.write_prompt(kinds, rng.choice(tuple(BACKGROUNDS)), rng)


def _further_groups(family: str, kinds: Sequence[Any]) -> list[str]:
    total = sum(kind.count for kind in kinds)
    found = [f"{total} of one kind"] if len(kinds) == 1 else []
    found += ["with colours"] if family == "emoji" and any(kind.colour for kind in kinds) else []
    return [*found, next(f"{low} to {high} objects" for low, high in ((2, 4), (5, 8), (9, 12)) if total <= high)]


def make_prompts(family: str) -> dict[str, list[PromptRow]]:
    """The prompts of both sets, the same in every call."""
    rng, used, found = random.Random(f"prompts {family}"), set(), {}
    for number, prompt_set in enumerate(SETS):
        placed = []
        for groups, many, kinds_of in _EMOJI if family == "emoji" else _SHAPES:
            for place in range(many):
                kinds, prompt = None, None
                while prompt is None or prompt in used:
                    kinds = kinds_of(place, rng)
                    prompt = _words(family, kinds, rng)
                used.add(prompt)
                # Spread, so that the first prompts are of all groups.
                placed.append(((place + rng.random()) / many, prompt, kinds, groups))
        first = _FIRST_SEED[family] + number * _SEEDS_OF_A_SET
        found[prompt_set] = [
            PromptRow(
                prompt,
                {kind.noun: kind.count for kind in kinds},
                first + index * SEEDS_APART,
                [*groups, *_further_groups(family, kinds)],
                {kind.noun: kind.colour for kind in kinds if kind.colour},
            )
            for index, (_, prompt, kinds, groups) in enumerate(sorted(placed, key=lambda one: one[0]))
        ]
    return found


def main() -> None:
    """Write the files."""
    FOLDER.mkdir(exist_ok=True)
    for family in _FIRST_SEED:
        for prompt_set, rows in make_prompts(family).items():
            lines = ",\n".join(json.dumps(asdict(row)) for row in rows)
            (FOLDER / f"{family}_{prompt_set}.json").write_text(f"[\n{lines}\n]\n", encoding="utf-8")


if __name__ == "__main__":
    main()
