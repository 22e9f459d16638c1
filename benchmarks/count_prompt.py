"""How many counted nouns Count Prompt finds: `python benchmarks/count_prompt.py FILE.jsonl [FILE.jsonl ...]`.

Each row of a file is {"id": ..., "prompt": "Two cats and a dog.", "counts": {"cats": 2, "dog": 1}}. A target is found when the
parser has its noun with exactly its count; singular and plural are the same, and so is "bag" and the head of "camera bag".
Objects that no target asks for are printed as extras; they are no part of the share.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))

from demo.comfy_host import register_pack  # noqa: E402

register_pack()

from headcount.core.prompts import CountedObject, describe_objects, parse_prompt  # noqa: E402
from headcount.core.prompts.plurals import same_noun  # noqa: E402


@dataclass(frozen=True)
class Row:
    """One prompt and the counts that a person reads in it."""

    id: str
    prompt: str
    counts: Mapping[str, int]


@dataclass(frozen=True)
class RowResult:
    """What of a row was found.

    Attributes:
        row: the row.
        missed: nouns of its targets that were not found with the exact count.
        extras: objects that no target asks for.
    """

    row: Row
    missed: tuple[str, ...]
    extras: tuple[CountedObject, ...]


def read_rows(file: Path) -> Iterator[Row]:
    """Rows of a JSON-lines file; empty lines are left out.

    Raises:
        ValueError: a row is malformed; the message names file and line.
    """
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        if line.strip():
            try:
                yield _row(json.loads(line))
            except (ValueError, TypeError, KeyError) as error:
                raise ValueError(f'{file}:{number}: expected {{"id", "prompt", "counts"}}: {error!r}') from error


def _row(data: Mapping[str, object]) -> Row:
    prompt, counts = data["prompt"], data["counts"]
    if not isinstance(prompt, str) or not isinstance(counts, dict):
        raise ValueError("prompt must be a text, counts an object")
    for noun, count in counts.items():
        if not noun.strip() or type(count) is not int or count < 1:
            raise ValueError(f"the count of {noun!r} must be a whole number of at least 1, not {count!r}")
    return Row(str(data["id"]), prompt, counts)


def compare(row: Row) -> RowResult:
    """Parse a row's prompt and match its objects to the row's targets, each object to one target at most."""
    left = list(parse_prompt(row.prompt))
    missed = []
    for noun, count in row.counts.items():
        matching = [item for item in left if item.count == count and names_the_same(item.noun, noun)]
        if matching:
            left.remove(matching[0])
        else:
            missed.append(noun)
    return RowResult(row, tuple(missed), tuple(left))


def names_the_same(noun: str, target: str) -> bool:
    """Whether two nouns have the same head, singular or plural: "camera bags" and "bag", "steel-beams" and "beams"."""
    heads = (text.lower().replace("-", " ").split()[-1] for text in (noun, target))
    return same_noun(*heads)


def report(results: list[RowResult]) -> Iterator[str]:
    """Lines to print: every miss, every extra, the totals."""
    for result in results:
        if result.missed:
            read = describe_objects(parse_prompt(result.row.prompt))
            yield f"miss  {result.row.id}: {', '.join(result.missed)} in {result.row.prompt!r} (read: {read})"
        if result.extras:
            yield f"extra {result.row.id}: {describe_objects(result.extras)} in {result.row.prompt!r}"
    targets = sum(len(result.row.counts) for result in results)
    found = targets - sum(len(result.missed) for result in results)
    extras = sum(len(result.extras) for result in results)
    share = found / targets if targets else 0.0
    yield f"{found} of {targets} targets found with the exact count: {share:.1%}; {extras} extras in {len(results)} prompts"


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
