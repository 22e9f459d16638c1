"""What is to be counted: the nouns of a line of text, or of COUNTS."""

from __future__ import annotations

import re

from ...core.counting import asked_numbers
from ...core.errors import CountError
from ...core.prompts import Counts, plural
from ..prompts.token_positions import prompt_without_weights

_BETWEEN = re.compile(r"[,;\n]")


def nouns_to_count(text: str, counts: Counts | None, attributes: bool = False) -> tuple[str, ...]:
    """Nouns in their order, each once.

    Args:
        text: nouns separated by commas, semicolons or line breaks. They are counted as they are written; the signs of prompt
            weights are left out, "(cats:1.2)" is "cats".
        counts: where the text is empty: what a prompt asks for, in the plural.
        attributes: whether its adjectives belong to the nouns, for a counter that reads them.

    Raises:
        CountError: neither names anything.
    """
    parts = (" ".join(part.split()) for part in _BETWEEN.split(prompt_without_weights(text)))
    nouns = [part for part in parts if part]
    if not nouns and counts is not None:
        nouns = [plural(noun) for noun in asked_numbers(counts.objects, attributes)]
    if not nouns:
        other = "connect COUNTS of Count Prompt" if counts is None else "a number into the prompt, such as 'three cats'"
        why = "" if counts is None else ", and the prompt of COUNTS asks for no number of objects"
        raise CountError(
            f"there is nothing to count: text is empty{why}. Write nouns in the plural into text, such as 'cats, dogs', "
            f"or {other}"
        )
    once: dict[str, str] = {}
    for noun in nouns:
        once.setdefault(noun.lower(), noun)
    return tuple(once.values())
