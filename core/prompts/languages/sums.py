"""Numbers that add up to one before them: "five people, two women and three men" are five."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Sequence

from ..mentions import Mention

_MOST_PARTS = 8
CanBePart = Callable[[Mention, Mention], bool]


def without_parts_of_a_sum(mentions: Sequence[Mention], stops: Sequence[int], can_be_part: CanBePart) -> list[Mention]:
    """Mentions less those that the one before them sums up in its sentence.

    Args:
        stops: where sentences end.
        can_be_part: whether the first of two mentions may be told apart in the second.
    """
    kept: list[Mention] = []
    index = 0
    while index < len(mentions):
        whole = mentions[index]
        kept.append(whole)
        index += 1
        if whole.count > 1:
            index += _parts_of(whole, mentions[index : index + _MOST_PARTS], stops, can_be_part)
    return kept


def _parts_of(whole: Mention, following: Sequence[Mention], stops: Sequence[int], can_be_part: CanBePart) -> int:
    """How many of the mentions that follow make up `whole`."""
    total = 0
    for size, part in enumerate(following, start=1):
        total += part.count
        same_sentence = bisect_right(stops, whole.noun[-1].end) == bisect_right(stops, part.noun[-1].end)
        if not same_sentence or total > whole.count or not can_be_part(part, whole):
            return 0
        if total == whole.count:
            return size if size > 1 else 0
    return 0
