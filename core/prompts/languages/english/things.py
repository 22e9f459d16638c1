"""Numbers and articles with the nouns that they count.

A stated number counts wherever it stands. "a" counts where the thing plays a part: as a subject, in a list with one, behind
"with" or "next to", or as what a full sentence says is acted on. It does not count in a place ("on a table"), or as the object
of a participle ("riding a wave"), nor before a place or a picture itself. These are the rules by which people list the objects
of a prompt.
"""

from __future__ import annotations

from dataclasses import replace

from ...mentions import Mention
from ...notes import Kind
from ...plurals import SAME_IN_BOTH, is_plural, singular
from . import vocabulary
from .clause import Role
from .determiners import Quantity, is_unit, read_quantity, skip_frame, skip_grouping
from .negations import say_negated
from .noun_phrase import NounPhrase, read_noun_phrase
from .numbers import MAX_COUNT
from .told_apart import is_one_of_them, is_part
from .uncounted import plural_of, written
from .walk import Walk
from .word_kinds import is_adjective, is_base_verb, is_boundary, is_finite_verb, is_participle

_SETS_OF_PEOPLE = vocabulary.numbers_in("sets_of_people")
_CAMERAS = vocabulary.word_set("cameras")
_ALONG = vocabulary.word_set("along")
_COUNTED_AS_THEY_ARE = vocabulary.word_set("counted_as_they_are")
_NAMED_AFTER_THINGS = vocabulary.word_set("named_after_things")
_MARKS = frozenset([",", "(", "\n"])  # a part of a thing behind one belongs to what was counted: "1girl, nine tails"
_OTHERS = frozenset(["other", "others"])  # the tag for somebody who is neither girl nor boy
_MOST_BY_MISTAKE = 20  # "three cat" is a slip of the pen, "500 castle" is not


def read_thing(walk: Walk, start: int) -> int:
    """Index behind a number or an article and its noun, whether that is counted or not; 0 where none begins at `start`."""
    quantity = read_quantity(walk.words, start)
    if quantity is None:
        return 0
    if (after := skip_frame(walk.words, quantity.after)) > quantity.after:
        walk.clause.role = Role.SUBJECT
        return after
    if (after := skip_grouping(walk.words, quantity.after)) > quantity.after:
        return after
    phrase = read_noun_phrase(walk.words, quantity.after, quantity.count > 1, walk.clause.in_list)
    if after := _read_without_noun(walk, start, quantity, phrase):
        return after
    if walk.told_apart == len(walk.mentions) and phrase.head in vocabulary.COLORS and is_part(walk, quantity, start):
        return phrase.after
    if quantity.stated and walk.text(walk.negated) == "no" and walk.text(start - 1) == "and":
        walk.negated = -1  # "no cars and two people"
    if walk.negated >= 0:
        say_negated(walk, start, phrase)
        return phrase.after
    if quantity.count > 1 and not _is_several(walk, phrase):
        _say_singular(walk, start, quantity, phrase)
        walk.waiting = []
        return max(phrase.after, start + 1) + (walk.text(phrase.after) == "of")  # "8 bit pixel art of a cat"
    return _read_counted(walk, start, quantity, phrase)


def read_known(walk: Walk, index: int) -> int:
    """Index behind "the dancers" or "their paws", which name nothing new, and their verb; 0 where none stand."""
    if walk.text(index) not in vocabulary.DETERMINERS or (
        walk.text(index) == "that" and is_boundary(walk.text(index + 1) or ",")
    ):
        return 0
    phrase = read_noun_phrase(walk.words, index + 1, True)
    is_verb = (
        len(phrase.noun) > 1
        and walk.text(phrase.after) in vocabulary.ARTICLES | vocabulary.DETERMINERS | vocabulary.PREPOSITIONS
    )
    if not phrase.noun or not is_plural(phrase.head) or is_verb:  # "the model strikes a pose"
        phrase = read_noun_phrase(walk.words, index + 1, False, True)
    if not phrase.noun:
        return index + 1
    if (
        is_base_verb(singular(phrase.head)) and walk.text(phrase.after) in vocabulary.ARTICLES
    ):  # "the girl in red wears a"
        walk.clause.role = Role.OBJECT
        return phrase.after
    walk.clause.role = walk.clause.role_of(index, phrase)
    return _behind(walk, phrase)


def _read_without_noun(walk: Walk, start: int, quantity: Quantity, phrase: NounPhrase) -> int:
    """Index behind a number whose noun is elsewhere, or is the tag "other"; 0 where it has one."""
    following = walk.text(phrase.after)
    if quantity.is_tag and walk.text(quantity.after) in _OTHERS:
        walk.mentions.append(Mention(quantity.count, (walk.words[quantity.after],), is_tag=True))
        return quantity.after + 1
    is_bare = not (phrase.noun or phrase.attributes) or (len(phrase.noun) == 1 and is_base_verb(phrase.head))
    if quantity.is_further and walk.mentions and is_bare:  # "one firefly appears, then seven more join it"
        walk.mentions.append(replace(walk.mentions[-1], count=quantity.count, known=False, is_further=True))
        return quantity.after + 1  # behind "more"
    if phrase.noun:
        return 0
    if phrase.attributes and following in vocabulary.CONJUNCTIONS | {",", ""} and is_part(walk, quantity, start):
        walk.told_apart = len(walk.mentions)
    elif phrase.attributes and following in vocabulary.CONJUNCTIONS:
        walk.waiting.append((quantity, phrase))
    is_verb = bool(phrase.attributes) and is_participle(phrase.attributes[-1].text)  # "one sketching a plan"
    walk.clause.noun_end = max(phrase.after - is_verb, start + 1)
    return walk.clause.noun_end


def _read_counted(walk: Walk, start: int, quantity: Quantity, phrase: NounPhrase) -> int:
    role, following, before = walk.clause.role_of(start, phrase), walk.text(phrase.after), walk.text(start - 1)
    is_of_thing = phrase.head in vocabulary.PARTS and (
        walk.text(start) in vocabulary.POSSESSIVES or (walk.mentions and before in _MARKS)
    )
    is_meant_for = (
        before == "for" and role is not Role.PEER and singular(phrase.head) in vocabulary.PEOPLE
    )  # "a table set for eight guests"
    if not (is_of_thing or is_meant_for) and _is_counted(phrase, role, quantity.stated):
        if walk.clause.of_each:
            _say_of_each(walk, start, quantity, phrase)
        else:
            _add(walk, quantity, phrase)
    walk.waiting = []
    walk.clause.role = role
    if role is Role.SUBJECT and not quantity.stated and following in vocabulary.CONJUNCTIONS:
        return _read_second_half(walk, phrase.after)
    return _behind(walk, phrase)


def _behind(walk: Walk, phrase: NounPhrase) -> int:
    """Index behind a noun phrase and its verb."""
    after = walk.clause.after_noun(phrase.after)
    walk.clause.shown = phrase.head in _CAMERAS
    return after


def _read_second_half(walk: Walk, joint: int) -> int:
    """The second noun of "a bride and groom", "a woman and her dog"."""
    start, text = joint + 1, walk.text(joint + 1) or "."
    shared = text in vocabulary.POSSESSIVES
    if shared or not (is_boundary(text) or is_plural(text) or is_adjective(text)):
        phrase = read_noun_phrase(walk.words, start + shared, False, True)
        if _is_second_half(phrase):
            _add(walk, Quantity(1, False, False, start), phrase)
            return walk.clause.after_noun(phrase.after)
    return walk.clause.after_noun(joint)


def _add(walk: Walk, quantity: Quantity, phrase: NounPhrase) -> None:
    known = quantity.known or is_one_of_them(walk, quantity, phrase)
    noun = phrase.noun
    if phrase.head in {"one", "ones"} and walk.mentions and phrase.attributes:  # "three small dogs and two big ones"
        *before, last = walk.mentions[-1].noun
        noun = (*before, replace(last, start=noun[-1].start, end=noun[-1].end))
    for waiting, adjectives in walk.waiting:
        walk.mentions.append(Mention(waiting.count, noun, adjectives.attributes, waiting.known))
    count = quantity.count * _SETS_OF_PEOPLE.get(noun[-1].text, 1)
    walk.mentions.append(Mention(count, noun, phrase.attributes, known, quantity.is_tag, quantity.is_further))


def _is_several(walk: Walk, phrase: NounPhrase) -> bool:
    """Whether a number above one can belong to the phrase: its head is a plural, and neither a measure nor what the
    next word is named after."""
    head, following = phrase.head, walk.text(phrase.after)
    measures = (len(phrase.noun) > 1 and is_unit(phrase.noun[0].text)) or (head == "feet" and following in _ALONG)
    return (
        (is_plural(head) or head in SAME_IN_BOTH | _COUNTED_AS_THEY_ARE)
        and not measures
        and following not in _NAMED_AFTER_THINGS
    )


def _say_singular(walk: Walk, start: int, quantity: Quantity, phrase: NounPhrase) -> None:
    """Say that "three cat" is not counted; a measure or a name ("5 star hotel", "Xbox 360") needs no word."""
    before, following, first = walk.text(start - 1), walk.text(phrase.after), phrase.noun[0].text
    names = start > 0 and before[:1].isalnum() and not is_boundary(before)
    is_plain = len(phrase.noun) == 1 and (not following or is_boundary(following)) and not quantity.is_tag
    measures = is_unit(first) or first in vocabulary.NOT_THINGS | vocabulary.FRAMES or "-" in first
    if is_plain and not measures and not names and quantity.count <= _MOST_BY_MISTAKE:
        walk.say(Kind.ONE_OF_IT, start, phrase.after, f"{written(quantity.count)} {plural_of(phrase)}")


def _say_of_each(walk: Walk, start: int, quantity: Quantity, phrase: NounPhrase) -> None:
    """Say that "three girls each holding two balloons" counts no balloons."""
    total = quantity.count * (walk.mentions[-1].count if walk.mentions else 1)
    if 1 < quantity.count < total <= MAX_COUNT:
        walk.say(Kind.ONE_OF_IT, start, phrase.after, f"{written(total)} {plural_of(phrase)}")


def _is_counted(phrase: NounPhrase, role: Role, stated: bool) -> bool:
    """Whether a noun phrase with a number or an article is a thing to count.

    Args:
        phrase: with a noun.
        role: what it is in its clause.
        stated: whether its number was said, not only implied by "a".
    """
    head = phrase.head
    if (
        head in vocabulary.NOT_THINGS
        or len(head) == 1
        or (head in vocabulary.PARTS and not (stated and role is Role.SUBJECT))
    ):
        return False
    return stated or (
        role in (Role.SUBJECT, Role.PEER, Role.ACTED_ON)
        and head not in vocabulary.SCENERY | vocabulary.ROOMS | vocabulary.FRAMES
        and (not is_plural(head) or singular(head) == head)  # "a" before a plural was misread: "a few cats"
    )


def _is_second_half(phrase: NounPhrase) -> bool:
    """Whether a phrase without an article can share the one before it: "groom" in "a bride and groom"."""
    if not phrase.noun:
        return False
    head = phrase.head
    return not (
        is_participle(head)
        or is_finite_verb(head)
        or is_plural(head)
        or head in vocabulary.NOT_THINGS
        or head in vocabulary.PARTS
    )
