"""What a prompt asks for: counted objects, their attributes, and where their words sit among a text encoder's tokens."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class CountedObject:
    """One kind of thing that the prompt asks for.

    Attributes:
        noun: the noun as it stands in the prompt, lower case ("hot air balloons").
        count: how many are asked for, at least 1.
        attributes: adjectives that stand before the noun, in prompt order ("red", "striped").
    """

    noun: str
    count: int
    attributes: tuple[str, ...] = ()


@dataclass(frozen=True)
class ObjectTokens:
    """Token positions of one counted object in one text encoder's sequence.

    Positions count from 0 over all chunks laid end to end, start and padding tokens included.

    Attributes:
        noun: positions of every piece of every occurrence of the noun.
        attributes: one tuple of positions per attribute of the object, in the same order.
    """

    noun: tuple[int, ...]
    attributes: tuple[tuple[int, ...], ...] = ()


@dataclass(frozen=True)
class WordTokens:
    """Token positions of one word of the prompt in one text encoder's sequence, counted as in `ObjectTokens`.

    Attributes:
        word: as it stands in the prompt where it occurs first.
        positions: positions of every piece of every occurrence.
    """

    word: str
    positions: tuple[int, ...]


@dataclass(frozen=True)
class Counts:
    """Counted objects of one prompt. Travels as COUNTS, and, as `carried` writes it, inside the conditioning.

    Attributes:
        prompt: the text without weight syntax.
        objects: counted objects in prompt order.
        tokens: per text encoder key of ComfyUI ("l", "g", "t5xxl", ...), the positions of each object, in object order.
        lengths: per text encoder key, the length of its token sequence.
        words: per text encoder key, every word of the prompt that is among its tokens, in prompt order.
        notes: what the prompt says of numbers without asking for a count, each with what to write instead.
    """

    prompt: str
    objects: tuple[CountedObject, ...]
    tokens: Mapping[str, tuple[ObjectTokens, ...]] = field(default_factory=dict)
    lengths: Mapping[str, int] = field(default_factory=dict)
    words: Mapping[str, tuple[WordTokens, ...]] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many instances are asked for in all."""
        return sum(item.count for item in self.objects)


CONDITIONING_KEY = "headcount_counts"
"""Entry of a conditioning's options that carries the counts: see `carried`."""
