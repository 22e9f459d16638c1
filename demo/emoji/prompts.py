"""Prompts of the Emoji scenes: what is asked for, in varied plain English that Count Prompt can read."""

from __future__ import annotations

import random
from collections.abc import Sequence

from ..scenes import Kind
from .vocabulary import COLOUR_WORDS, NOUNS, PLURALS

MAX_COUNT = 12
_WORDS = tuple("zero one two three four five six seven eight nine ten eleven twelve".split())
_FRAMES = (
    *("{}", "{}", "{}", "a photo of {}", "a picture of {}", "an image of {}", "a drawing of {}", "a cartoon of {}"),
    *("a picture with {}", "a photo with {}", "show me {}", "a scene with {}"),
)
_BACKGROUND_FRAMES = {
    "outdoors": ("{} outdoors", "{} outside", "a photo of {} outdoors"),
    "plain": ("{} on a plain background", "a picture of {} on a plain background"),
    "striped": ("{} on a striped background",),
    "checked": ("{} on a checked background",),
    "tiled": ("{} in front of a wall", "{} on a tiled background"),
}
_PAIR_JOINTS = ("{} and {}",) * 5 + ("{} with {}", "{} beside {}", "{} together with {}")


def _number(count: int, next_word: str, rng: random.Random) -> str:
    if count == 1:
        article = "an" if next_word[0] in "aeiou" else "a"
        return rng.choice((article, article, "one"))
    words = [_WORDS[count]] * 3 + [str(count)] * 2
    words += {2: ["a pair of", "a couple of"], 12: ["a dozen"]}.get(count, [])
    return rng.choice(words)


def _part(kind: Kind, rng: random.Random) -> str:
    noun = kind.noun if kind.count == 1 else PLURALS[kind.noun]
    words = f"{kind.colour} {noun}" if kind.colour else noun
    return f"{_number(kind.count, words, rng)} {words}"


def write_prompt(kinds: Sequence[Kind], background: str, rng: random.Random) -> str:
    """Ask for `kinds`, such as "a photo of three red apples and 2 cats outdoors".

    Args:
        background: its kind (`backgrounds.KINDS`), which every fifth prompt or so mentions.
    """
    parts = [_part(kind, rng) for kind in kinds]
    if len(parts) == 1:
        listed = parts[0]
    elif len(parts) == 2:
        listed = rng.choice(_PAIR_JOINTS).format(*parts)
    else:
        listed = ", ".join(parts[:-1]) + " and " + parts[-1]
    there = "there is {}" if kinds[0].count == 1 else "there are {}"
    frames = _BACKGROUND_FRAMES.get(background) if rng.random() < 0.25 else None
    return rng.choice(frames or (*_FRAMES, there)).format(listed)


def every_word() -> list[str]:
    """Every word, number and sign that a prompt can have, in alphabetical order; a text encoder's table is made for them."""
    frames = [*_FRAMES, *_PAIR_JOINTS, *(frame for frames in _BACKGROUND_FRAMES.values() for frame in frames)]
    texts = [*frames, *NOUNS, *PLURALS.values(), *_WORDS[1:], *map(str, range(2, MAX_COUNT + 1))]
    texts += ["there is there are", "a an one a pair of a couple of a dozen and ,", *COLOUR_WORDS]
    return sorted({word for text in texts for word in text.replace("{}", " ").split()})
