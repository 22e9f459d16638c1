"""What is asked for, as counters and checks read it: bare nouns and their numbers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ..errors import CountError
from ..prompts import CountedObject, parse_objects_line, plural, same_noun
from .counted import Counted


def asked_numbers(objects: Sequence[CountedObject], attributes: bool = False) -> dict[str, int]:
    """Noun -> how many of it are asked for, in the order of the prompt.

    Objects of one noun add up. The noun stands as it does where it is asked for first.

    Args:
        attributes: whether adjectives belong to the noun: "2 red cats, 1 blue cat" is then 2 red cats and 1 blue cat, for
            counters that tell them apart. Otherwise it is 3 cats.
    """
    return _summed((_described(item) if attributes else item.noun, item.count) for item in objects)


def numbers_of_line(line: str) -> dict[str, int | None]:
    """Noun -> the number that an objects line asks for; None of all where it only names nouns, as "cats, dogs".

    Raises:
        CountError: it has digits and is no objects line.
    """
    try:
        return dict(asked_numbers(parse_objects_line(line), attributes=True))
    except CountError:
        if any(map(str.isdigit, line)):
            raise
    nouns = (" ".join(noun.split()) for noun in line.replace("\n", ",").split(","))
    return dict.fromkeys(noun for noun in nouns if noun)


def asked_as_counted(objects: Sequence[CountedObject], counted: Iterable[str]) -> tuple[dict[str, int], str]:
    """What is asked for, in the terms of what was counted.

    Args:
        counted: the nouns that were counted, or the labels that a detector gave.

    Returns:
        noun -> number, with the adjectives where these were counted, and what to tell the user of objects of one noun that
        were not told apart; "" where none were mixed up.
    """
    own = list(counted)
    names = [
        _described(item) if any(same_noun(_described(item), noun) for noun in own) else item.noun for item in objects
    ]
    asked = _summed((name, item.count) for name, item in zip(names, objects, strict=True))
    told = []
    for noun in asked:
        kinds = dict.fromkeys(
            _described(item) for name, item in zip(names, objects, strict=True) if same_noun(name, noun)
        )
        if len(kinds) > 1:
            told.append(f"{', '.join(kinds)}: counted together as {plural(noun)}, since adjectives were not told apart")
    return asked, "; ".join(told)


def asked_line(counted: Counted) -> str:
    """An objects line of what a language model read in a prompt, such as "3 cats, 2 dogs".

    Raises:
        CountError: several texts were read, or nothing is counted in the one.
    """
    if len(counted.numbers) != 1:
        raise CountError(
            f"reader has the counts of {len(counted.numbers)} texts; a prompt needs those of one. Give Counts from Text one "
            "text: what a language model says that the prompt asks for"
        )
    numbers = zip(counted.rounded[0].tolist(), counted.nouns, strict=True)
    line = ", ".join(f"{number} {noun}" for number, noun in numbers if number)
    if not line:
        raise CountError(
            f"reader counts nothing: {', '.join(counted.nouns)} are 0. Disconnect it, or let the language model say what the "
            "prompt asks for, such as '3 cats, 2 dogs'"
        )
    return line


def _described(item: CountedObject) -> str:
    return " ".join([*item.attributes, item.noun])


def _summed(numbers: Iterable[tuple[str, int]]) -> dict[str, int]:
    """The numbers of each noun together, under the name that it has first."""
    asked: dict[str, int] = {}
    for name, number in numbers:
        noun = next((known for known in asked if same_noun(known, name)), name)
        asked[noun] = asked.get(noun, 0) + number
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
