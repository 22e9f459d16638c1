"""What is told of things that are counted already: "three cats, one black", "five people, two women and three men"."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence

from ...mentions import Mention
from ...notes import Kind, Note
from ...plurals import noun_key, singular
from ..sums import without_parts_of_a_sum
from . import vocabulary
from .determiners import Quantity
from .noun_phrase import NounPhrase
from .walk import Walk
from .word_kinds import is_boundary

_BEFORE_A_PART = frozenset([",", ":", "and", "(", "-", "–", "—"])
_LOOKS_BACK = 20  # mentions


def is_part(walk: Walk, quantity: Quantity, start: int) -> bool:
    """Whether a number tells what is among the things counted last in its sentence: "three cats, one black"."""
    if not walk.mentions or not quantity.stated or quantity.count >= walk.mentions[-1].count:
        return False
    is_same_sentence = walk.sentence_of(walk.mentions[-1].noun[-1].end) == walk.sentence_of(walk.words[start].start)
    return is_same_sentence and walk.text(start - 1) in _BEFORE_A_PART


def is_one_of_them(walk: Walk, quantity: Quantity, phrase: NounPhrase) -> bool:
    """Whether the phrase tells more about things counted in a sentence before: "Two puppies. One puppy is black"."""
    following = walk.text(phrase.after)
    if not following or (is_boundary(following) and following not in vocabulary.AUXILIARIES):
        return False
    sentence, noun = walk.sentence_of(phrase.noun[0].start), noun_key(phrase.text)
    return any(
        mention.count > quantity.count and mention.key == noun and walk.sentence_of(mention.noun[-1].end) < sentence
        for mention in walk.mentions[-_LOOKS_BACK:]
    )


def told_anew(walk: Walk) -> list[Mention]:
    """Mentions less those that tell the kinds of things counted before, or who a group is: "group of 5, 5girls"."""
    named = [
        mention
        for at, mention in enumerate(walk.mentions)
        if not _is_named_by_a_tag(mention, walk.mentions[at + 1 : at + 2])
    ]
    colons = [word.start for word in walk.words if word.text == ":"]
    return without_parts_of_a_sum(
        named,
        walk.stops,
        lambda part, whole: _is_between(colons, whole, part) or _can_be_part(part, whole),
    )


def told_by_no_tag(notes: Sequence[Note], mentions: Sequence[Mention]) -> list[Note]:
    """Notes less those on vague numbers that a tag makes exact: "3girls, multiple girls"."""
    tags = {noun_key(mention.noun[-1].text) for mention in mentions if mention.is_tag}
    return [note for note in notes if note.kind is not Kind.VAGUE or noun_key(note.fix.rpartition(" ")[2]) not in tags]


def _is_named_by_a_tag(group: Mention, following: Sequence[Mention]) -> bool:
    is_group = group.noun[-1].text in vocabulary.COLLECTIVES
    return is_group and any(mention.is_tag and mention.count == group.count for mention in following)


def _is_between(colons: Sequence[int], whole: Mention, part: Mention) -> bool:
    """Whether a colon lists the parts of a whole: "three people: a chef, ..."."""
    return bisect_right(colons, whole.noun[-1].end - 1) < bisect_right(colons, part.noun[0].start)


def _can_be_part(part: Mention, whole: Mention) -> bool:
    """People of people, a kind of a class ("animals"), or the same noun that only the part describes."""
    one, of = (singular(mention.noun[-1].text) for mention in (part, whole))
    if of in vocabulary.OF_MANY_KINDS or (of in vocabulary.PEOPLE and one in vocabulary.PEOPLE):
        return True
    if one in vocabulary.KINDS_OF_PEOPLE and (of in vocabulary.PROFESSIONS or of.endswith("man")):
        return True
    return one == of and bool(part.attributes) and not whole.attributes
