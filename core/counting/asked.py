"""What is asked for, as counters and checks read it: bare nouns and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import CountError
from ..prompts import CountedObject, same_noun
from .counted import Counted


def asked_numbers(objects: Sequence[CountedObject]) -> dict[str, int]:
    """Noun -> how many of it are asked for, in the order of the prompt.

    Objects of one noun add up, whatever their adjectives ("2 red cats, 1 blue cat" is 3 cats), because counters do not tell
    them apart. The noun stands as it does where it is asked for first.
    """
    asked: dict[str, int] = {}
    for item in objects:
        noun = next((known for known in asked if same_noun(known, item.noun)), item.noun)
        asked[noun] = asked.get(noun, 0) + item.count
    return asked


def columns_of(counted: Counted, nouns: Iterable[str]) -> list[int]:
    """Where each noun stands in `counted`, singular or plural alike.

    Raises:
        CountError: a noun was not counted.
    """
    wanted = list(nouns)
    columns = [[place for place, noun in enumerate(counted.nouns) if same_noun(noun, name)] for name in wanted]
    missing = [name for name, places in zip(wanted, columns, strict=True) if not places]
    if missing:
        raise CountError(
            f"{', '.join(repr(name) for name in missing)} was not counted. Asked for: {', '.join(wanted)}; counted: "
            f"{', '.join(counted.nouns) or 'nothing'}. Give the counter the same nouns, or connect the same COUNTS to both"
        )
    return [places[0] for places in columns]
