"""Which noun phrases are things to count.

A stated number counts wherever it stands. "a" counts where the thing plays a part: as a subject, in a list with one, behind
"with" or "next to", or as what a full sentence says is acted on. It does not count in a place ("on a table") or as the object
of a participle ("riding a wave"). These are the rules by which people list the objects of a prompt.
"""

from __future__ import annotations

from enum import Enum, auto

from ...plurals import is_plural, singular
from . import vocabulary
from .noun_phrase import NounPhrase
from .word_kinds import is_finite_verb, is_past_participle, is_present_participle


class Role(Enum):
    """What a noun phrase is in its clause."""

    SUBJECT = auto()
    PEER = auto()  # beside a subject: "with a dog", "next to a dog"
    ACTED_ON = auto()  # object of a full sentence: "is feeding a horse"
    OBJECT = auto()  # object of a participle: "riding a wave"
    PLACE = auto()


def is_counted(phrase: NounPhrase, role: Role, stated: bool) -> bool:
    """Whether a noun phrase with a number or an article is a thing to count.

    Args:
        phrase: with a noun.
        role: what it is in its clause.
        stated: whether its number was said, not only implied by "a".
    """
    head = phrase.head
    if head in vocabulary.NOT_THINGS or len(head) == 1 or (head in vocabulary.PARTS and role is not Role.SUBJECT):
        return False
    return stated or (
        role in (Role.SUBJECT, Role.PEER, Role.ACTED_ON)
        and head not in vocabulary.SCENERY | vocabulary.ROOMS | vocabulary.FRAMES
        and (not is_plural(head) or singular(head) == head)  # "a" before a plural was misread: "a few cats"
    )


def is_second_half(phrase: NounPhrase) -> bool:
    """Whether a phrase without an article can share the one before it: "groom" in "a bride and groom"."""
    if not phrase.noun:
        return False
    head = phrase.head
    verb = is_present_participle(head) or is_past_participle(head) or is_finite_verb(head)
    return not (verb or is_plural(head) or head in vocabulary.NOT_THINGS or head in vocabulary.PARTS)
