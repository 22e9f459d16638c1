"""Counts as a conditioning carries them: dicts, lists, texts and numbers only, so that it can be saved and loaded again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, is_dataclass
from typing import Any

from ..errors import CountError
from .counts import CountedObject, Counts, ObjectTokens, WordTokens


def as_carried(counts: Counts) -> dict[str, Any]:
    """`counts` without any class of this pack: PyTorch loads it with `weights_only=True`."""
    return asdict(counts)


def from_carried(carried: Any) -> Counts:
    """The `Counts` that `as_carried` was given.

    Args:
        carried: a dict of `as_carried`; also `Counts` itself, which conditionings saved before 0.5 hold, of this or of
            another copy of the pack.

    Raises:
        CountError: it is neither.
    """
    if isinstance(carried, Counts):
        return carried
    plain = asdict(carried) if is_dataclass(carried) and not isinstance(carried, type) else carried
    try:
        return _read(plain)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise CountError(
            "the conditioning holds counts that this version of Headcount cannot read; encode the prompt with Count Prompt "
            "again"
        ) from error


def _read(plain: Mapping[str, Any]) -> Counts:
    objects = tuple(
        CountedObject(str(one["noun"]), int(one["count"]), tuple(map(str, one["attributes"])))
        for one in plain["objects"]
    )
    tokens = {
        key: tuple(ObjectTokens(_places(one["noun"]), tuple(map(_places, one["attributes"]))) for one in found)
        for key, found in plain["tokens"].items()
    }
    words = {
        key: tuple(WordTokens(str(one["word"]), _places(one["positions"])) for one in found)
        for key, found in plain["words"].items()
    }
    lengths = {key: int(length) for key, length in plain["lengths"].items()}
    notes = tuple(map(str, plain.get("notes", ())))  # those saved by 0.5 have none
    return Counts(str(plain["prompt"]), objects, tokens, lengths, words, notes)


def _places(positions: Any) -> tuple[int, ...]:
    return tuple(int(position) for position in positions)
