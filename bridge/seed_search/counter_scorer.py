"""Scores candidates by what a counter finds in their previews."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from einops import reduce
from torch import Tensor

from ...core.counting import Counted, columns_of, counts_in_words, distances, misses, verdict_words
from ..comfyui.node_text import NodeResult
from .search import Candidate, InitialLatent, SearchResult

FEWEST_ALIKE = 3
"""As many seeds that are wrong alike say that seeds do not matter. Chosen; see *emoji_alike* in docs/measurements.md."""


@dataclass(frozen=True)
class CountedCandidate(Candidate):
    """How a candidate fares.

    Attributes:
        seed: what a sampler is given to make it.
        numbers: its counts, in the order of what is asked.
        misses: how many objects are too many or too few; 0 is right.
        distance: the same of the counts as they are, not whole.
        varied: the seed that it is a variation of; None for a seed of its own.
    """

    seed: int
    numbers: tuple[float, ...]
    misses: int
    distance: float
    varied: int | None = None

    @property
    def name(self) -> str:
        """ "seed 7", or "seed 15 varying seed 7"."""
        return f"seed {self.seed}" if self.varied is None else f"seed {self.seed} varying seed {self.varied}"


def counted_candidates(
    initial: InitialLatent, indices: Sequence[int], counted: Counted, asked: Mapping[str, int]
) -> list[CountedCandidate]:
    """The candidates `indices`, of which `counted` has the counts in this order.

    Raises:
        CountError: an asked noun was not counted.
    """
    numbers = counted.numbers[:, columns_of(counted, asked)].tolist()
    off, far = misses(counted, asked).tolist(), distances(counted, asked).tolist()
    return [
        CountedCandidate(index, initial.seed_of(index), tuple(numbers[row]), off[row], far[row])
        for row, index in enumerate(indices)
    ]


def mean_over_frames(counted: Counted, frames_each: int) -> Counted:
    """Counts of candidates from those of their frames; points, boxes and masks are those of the frame in the middle."""
    middle = slice(frames_each // 2, None, frames_each)
    return replace(
        counted,
        numbers=reduce(counted.numbers, "(n f) k -> n k", "mean", f=frames_each),
        points=counted.points[middle],
        boxes=None if counted.boxes is None else counted.boxes[middle],
        masks=None if counted.masks is None else counted.masks[middle],
    )


def wrong_seeds(candidates: Sequence[CountedCandidate]) -> Sequence[CountedCandidate]:
    """The seeds of `candidates`, without variations, where there are `FEWEST_ALIKE` or more and all are wrong, else none."""
    seeds = [one for one in candidates if one.varied is None]
    return seeds if len(seeds) >= FEWEST_ALIKE and all(one.misses for one in seeds) else ()


def alike(candidates: Sequence[CountedCandidate]) -> Sequence[CountedCandidate]:
    """The `wrong_seeds` of `candidates` where all have the same whole counts, else none."""
    seeds = wrong_seeds(candidates)
    return seeds if len({tuple(map(round, one.numbers)) for one in seeds}) == 1 else ()


def said_of_alike(tried: Sequence[CountedCandidate], asked: Iterable[str], fix: str = "") -> str | None:
    """ "8 seeds, all with 4 cats: another seed will not help", where so many say so."""
    own = alike(tried)
    if not own:
        return None
    counts = counts_in_words(tuple(map(round, own[0].numbers)), asked)
    return f"{len(own)} seeds, all with {counts}: another seed will not help" + (f". {fix}" if fix else "")


def off_by(candidate: CountedCandidate) -> tuple[int, float]:
    """Smaller is better: misses first, then the distance."""
    return candidate.misses, candidate.distance


def best_first(candidates: Sequence[CountedCandidate]) -> list[CountedCandidate]:
    """In the order of `off_by`; of equal ones, the smallest index first."""
    return sorted(candidates, key=lambda candidate: (off_by(candidate), candidate.index))


def ranked(
    tried: Sequence[CountedCandidate],
    images: Tensor,
    initial: InitialLatent,
    asked: Mapping[str, int],
    notes: Sequence[str] = (),
) -> SearchResult:
    """The result when `tried` are all the candidates there are, and `images` theirs in the same order."""
    candidates = best_first(tried)
    indices = [candidate.index for candidate in candidates]
    places = [tried.index(candidate) for candidate in candidates]
    table = count_table(candidates, asked, batch=initial.wanted > 1, notes=notes)
    latent, seed = initial.chosen(indices)
    return SearchResult(candidates, latent, seed, table, _result_of(candidates, table), images[places])


def count_table(
    candidates: Sequence[CountedCandidate], asked: Mapping[str, int], batch: bool, notes: Sequence[str] = ()
) -> str:
    """One line per candidate, best first, then the notes, as text for the user."""
    lines = [f"asked: {counts_in_words(asked.values(), asked)}"]
    for one in candidates:
        seen = counts_in_words(one.numbers, asked)
        verdict = verdict_words(one.misses)
        lines.append(f"{f'index {one.index}' if batch else one.name}: {seen}: {verdict}")
    right = sum(candidate.misses == 0 for candidate in candidates)
    return "\n".join([*lines, *notes, f"{right} of {len(candidates)} tried look right"])


def _result_of(candidates: Sequence[CountedCandidate], table: str) -> NodeResult:
    """The last line of the `table` of these candidates as the verdict, then the others."""
    *lines, verdict = table.splitlines()
    marks = tuple(candidate.misses == 0 for candidate in candidates)
    return NodeResult(verdict, any(marks), marks, "\n".join(lines))
