"""Reads English: one walk through the words of a prompt, at each of which the readers of phrases are asked in turn."""

from __future__ import annotations

from collections.abc import Sequence

from ...mentions import Reading
from ...words import Word
from .determiners import skip_frame, skip_grouping
from .groups import read_group, read_twins
from .negations import read_negated, read_zero
from .things import read_known, read_thing
from .told_apart import told_anew, told_by_no_tag
from .trailing_counts import read_trailing_count
from .uncounted import read_uncounted
from .vocabulary import word_set
from .walk import Walk

_IMPERATIVES = word_set("imperatives")


def read_english(words: Sequence[Word]) -> Reading:
    """Counted noun phrases of `words`, in order, and what they say of numbers without asking for a count."""
    walk = Walk(words)
    index = 0
    while index < len(words):
        index = max(next(filter(None, (read(walk, index) for read in _READERS)), 0), index + 1)
    mentions = told_anew(walk)
    return Reading(mentions, told_by_no_tag(walk.notes, mentions))


def _read_uncounted(walk: Walk, index: int) -> int:
    note, after = read_uncounted(walk.words, index)
    walk.notes += [note] if note else []
    return after


def _read_joint(walk: Walk, index: int) -> int:
    """Past a mark or a word that joins phrases or clauses."""
    if after := walk.clause.read_peer_phrase(index):
        return after
    is_behind_noun = bool(walk.mentions) and walk.mentions[-1].noun[-1] is walk.words[index - 1]
    return index + 1 if walk.clause.read_word(index, is_behind_noun) else 0


def _read_frame(walk: Walk, index: int) -> int:
    """Past "photo of" or "set of" at the beginning of a clause, or "draw"."""
    if walk.clause.start != index:
        return 0
    after = max(skip_frame(walk.words, index), skip_grouping(walk.words, index))
    return after if after > index else (index + 1) * (walk.text(index) in _IMPERATIVES)


def _read_verb(walk: Walk, index: int) -> int:
    walk.clause.read_verb(index)
    return index + 1


_READERS = (
    _read_uncounted, read_trailing_count, read_group, read_thing, read_zero, read_negated, read_twins, read_known,
    _read_joint, _read_frame, _read_verb,
)  # fmt: skip
