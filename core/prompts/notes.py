"""What a prompt says of numbers without asking for a count, and what to write instead."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum


class Kind(Enum):
    """Why something is said rather than counted. The value is the sentence; {said} is quoted from the prompt."""

    RANGE = "'{said}' is a range: write one number, such as '{fix}'"
    BOUND = "'{said}' is not an exact number: write '{fix}'"
    VAGUE = "'{said}' is not a number: write one, such as '{fix}'"
    ONE_OF_IT = "'{said}' is not counted: write '{fix}' if it asks for so many"
    LETTERING = "'{said}' in quotation marks is lettering: take the marks away to count it"
    NONE = "'{said}' counts nothing: put '{fix}' into the negative prompt"
    ZERO = "0 {fix} cannot be steered: put it into the negative prompt"


@dataclass(frozen=True)
class Note:
    """Something that is said rather than counted.

    Attributes:
        kind: why.
        said: the words of the prompt.
        fix: what to write instead.
    """

    kind: Kind
    said: str
    fix: str = ""

    def __str__(self) -> str:
        said = " ".join(self.said.split())
        return self.kind.value.format(said=said if len(said) <= _QUOTED else f"{said[:_QUOTED]}...", fix=self.fix)


_QUOTED = 60  # letters of the prompt that a sentence can quote
MAX_NOTES = 8
