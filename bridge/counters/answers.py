"""Counts from Text: what a language model said of images becomes their counts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ...core.counting import Counted, asked_numbers, counts_in_words, numbers_of_line, read_answers
from ...core.errors import CountError
from ...core.prompts import Counts, plural
from ..comfyui.node_text import NodeResult

NODE = "Counts from Text"


@dataclass(frozen=True)
class TextCounts:
    """What Counts from Text hands on.

    Attributes:
        counted: a row for each text.
        table: one line per text.
        result: what the node shows.
    """

    counted: Counted
    table: str
    result: NodeResult


def counts_from_text(text: Sequence[str], counts: Sequence[Counts] | None, objects: Sequence[str]) -> TextCounts:
    """Read the answers of a language model that saw one image each. Every input is a list, as the node gets them.

    Args:
        text: the answers.
        counts: what a prompt asks for, the first of the list; its nouns, adjectives included, are looked for.
        objects: the first of the list: nouns to look for instead, "cats, dogs" or "3 cats, 2 dogs". With neither, the nouns
            are those of the answers.

    Raises:
        CountError: there is no answer, one is no text, or it says no number of what is looked for.
    """
    texts = list(text)
    wrong = next((answer for answer in texts if not isinstance(answer, str)), None)
    if not texts or wrong is not None:
        given = "nothing" if not texts else f"a {type(wrong).__name__}"
        raise CountError(f"{NODE} got {given}. Connect the text that a language model gives, one for each image")
    read = read_answers(texts, _nouns(objects[0] if objects else "", counts[0] if counts else None))
    rows = (counts_in_words(row, read.counted.nouns) for row in read.counted.numbers.tolist())
    lines = [*(f"image {index}: {row}" for index, row in enumerate(rows, 1)), *read.notes]
    table = "\n".join(lines)
    return TextCounts(read.counted, table, NodeResult(lines[0] if len(lines) == 1 else "", table=table))


def _nouns(objects: str, counts: Counts | None) -> list[str]:
    """In the plural; of the line, else of COUNTS, else none."""
    asked = numbers_of_line(objects) or asked_numbers(() if counts is None else counts.objects, attributes=True)
    return [plural(noun) for noun in asked]
