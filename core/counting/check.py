"""Asked against counted: which pictures are right, and which one is best."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from ..errors import CountError
from .asked import columns_of
from .counted import Counted
from .ranking import misses
from .wording import counts_in_words


@dataclass(frozen=True)
class CountCheck:
    """The verdict on N pictures.

    Attributes:
        right: indices of the pictures that are right, in order; the first picture is 0.
        best: index of the picture that is nearest to what was asked.
        table: what was asked, one line per picture, and what came of it.
    """

    right: tuple[int, ...]
    best: int
    table: str


def check_counts(
    counted: Counted, asked: Mapping[str, int], tolerance: int = 0, notes: Sequence[str] = ()
) -> CountCheck:
    """Compare what was counted with what was asked.

    Args:
        counted: of at least one picture; nouns that nobody asked for do not matter.
        asked: noun -> number, at least one; nouns match whether singular or plural.
        tolerance: how many each noun may be off, 0 or more.
        notes: what the user should know of the counts, a line each; they stand before the summary.

    Returns:
        the verdict. A right picture is better than a wrong one; then the one that is off by fewer things, whose exact counts
        are nearer, that comes first.

    Raises:
        CountError: nothing was asked, an asked noun was not counted, or there are no pictures.
    """
    if not asked:
        raise CountError(
            "nothing is asked for: the prompt states no number of objects. Write it into Count Check's objects, such as "
            "'3 cats, 1 dog'"
        )
    if not len(counted.numbers):
        raise CountError("the counts are of no image. Connect COUNTED from the counter that saw these images")
    columns = columns_of(counted, asked)
    numbers, off = counted.numbers[:, columns], misses(counted, asked).tolist()
    wanted = numbers.new_tensor(list(asked.values()))
    fits = ((counted.rounded[:, columns] - wanted).abs() <= tolerance).all(1).tolist()
    exact = (numbers - wanted).abs().sum(1).tolist()
    best = min(range(len(off)), key=lambda index: (not fits[index], off[index], exact[index]))
    right = tuple(index for index, fit in enumerate(fits) if fit)
    nouns = [counted.nouns[column] for column in columns]
    lines = [
        f"image {index + 1}: {counts_in_words(row, nouns)}: {'right' if fits[index] else 'wrong'}{_off_by(off[index])}"
        for index, row in enumerate(numbers.tolist())
    ]
    summary = f"{len(right)} of {len(off)} right; best: image {best + 1}"
    return CountCheck(
        right, best, "\n".join([f"asked: {counts_in_words(asked.values(), asked)}", *lines, *notes, summary])
    )


def _off_by(things: int) -> str:
    return f", off by {things}" if things else ""
