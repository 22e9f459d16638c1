"""How many counted nouns Count Prompt finds: `python benchmarks/count_prompt.py FILE.jsonl [FILE.jsonl ...]`.

Each row of a file is {"id": ..., "prompt": "Two cats and a dog.", "counts": {"cats": 2, "dog": 1}}. A target is found when the
parser has its noun with exactly its count; singular and plural are the same, and so is "bag" and the head of "camera bag".
Objects that no target asks for are printed as extras; they are no part of the share.

A row with a "line" ("3 octopus") is about the objects line: it is read with its prompt, and printed apart from the others.
Where the line has to be refused, its counts are null, which is one target.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

from demo.comfy_host import register_pack  # noqa: E402

register_pack()

from headcount.core.errors import CountError  # noqa: E402
from headcount.core.prompts import (  # noqa: E402
    CountedObject,
    describe_objects,
    find_objects,
    parse_prompt,
    same_noun,
)
from headcount.core.prompts.languages.grammar import SPACED  # noqa: E402
from headcount.core.prompts.languages.spaced import same_in  # noqa: E402

from benchmarks.lab.counted_prompts import Row, read_rows  # noqa: E402


@dataclass(frozen=True)
class RowResult:
    """What of a row was found.

    Attributes:
        row: the row.
        missed: nouns of its targets that were not found with the exact count.
        extras: objects that no target asks for.
        read: what the parser made of it, in words.
    """

    row: Row
    missed: tuple[str, ...]
    extras: tuple[CountedObject, ...]
    read: str


def compare(row: Row) -> RowResult:
    """Parse a row and match its objects to the row's targets, each object to one target at most."""
    try:
        left = list(_objects(row))
    except CountError as error:
        return RowResult(row, tuple(row.counts or ()), (), f"refused: {error}")
    read = describe_objects(left)
    if row.counts is None:
        return RowResult(row, ("refusal",), tuple(left), read)
    missed = []
    for noun, count in row.counts.items():
        matching = [item for item in left if item.count == count and names_the_same(item.noun, noun)]
        if matching:
            left.remove(matching[0])
        else:
            missed.append(noun)
    return RowResult(row, tuple(missed), tuple(left), read)


def _objects(row: Row) -> tuple[CountedObject, ...]:
    if row.line is None:
        return parse_prompt(row.prompt)
    return tuple(found.item for found in find_objects(row.prompt, row.line))


def names_the_same(noun: str, target: str) -> bool:
    """Whether two nouns have the same head, singular or plural: "camera bags" and "bag", "黑猫" and "猫"."""
    words = [text.lower().replace("-", " ").split() for text in (noun, target)]
    first, other = (text[-1] for text in words)
    if same_noun(first, other) or (not first.isascii() and (first.endswith(other) or other.endswith(first))):
        return True
    return any(
        same_in(language, words[0][0], words[1][0]) for language in SPACED
    )  # "chats noirs": the head comes first


def report(results: list[RowResult]) -> Iterator[str]:
    """Lines to print: every miss, every extra, the totals; first of the prompts, then of the objects lines."""
    lines = [result for result in results if result.row.line is not None]
    prompts = [result for result in results if result.row.line is None]
    if prompts or not lines:
        yield from _section(prompts, "prompts")
    if lines:
        yield from _section(lines, "objects lines")


def _section(results: list[RowResult], of_what: str) -> Iterator[str]:
    for result in results:
        given = repr(result.row.prompt) + (f" with line {result.row.line!r}" if result.row.line is not None else "")
        if result.missed:
            yield f"miss  {result.row.id}: {', '.join(result.missed)} in {given} (read: {result.read})"
        if result.extras:
            yield f"extra {result.row.id}: {describe_objects(result.extras)} in {given}"
    targets = sum(result.row.targets for result in results)
    found = targets - sum(len(result.missed) for result in results)
    extras = sum(len(result.extras) for result in results)
    share = found / targets if targets else 0.0
    yield f"{found} of {targets} targets found with the exact count: {share:.1%}; {extras} extras in {len(results)} {of_what}"


def main() -> None:
    """Print the report of every file named on the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("files", nargs="+", type=Path)
    for file in parser.parse_args().files:
        print(file)
        try:
            results = [compare(row) for row in read_rows(file)]
        except (OSError, ValueError) as error:
            parser.error(str(error))
        print(*report(results), sep="\n")


if __name__ == "__main__":
    main()
