"""Groups that say how many they are: "a family of four", "twins"."""

from __future__ import annotations

from ...mentions import Mention
from ...plurals import is_plural
from .clause import Role
from .numbers import MAX_COUNT, read_number
from .vocabulary import ARTICLES, COLLECTIVES, DETERMINERS, PARTS, numbers_in
from .walk import Walk
from .word_kinds import is_boundary, is_present_participle

_TWINS = numbers_in("twins")


def read_group(walk: Walk, index: int) -> int:
    """Index behind the number of "a family of four"; 0 where no such words stand."""
    number = read_number(walk.words, index) if index > 1 and walk.text(index - 1) == "of" else None
    if number is None or walk.text(index - 2) not in COLLECTIVES or not 1 < number[0] <= MAX_COUNT:
        return 0
    following = walk.text(number[1])
    acts = is_present_participle(following) or walk.text(number[1] + 1) in ARTICLES  # "a team of six climbs a ridge"
    if following and not is_boundary(following) and not acts:
        return 0
    walk.mentions.append(Mention(number[0], (walk.words[index - 2],)))
    return number[1]


def read_twins(walk: Walk, index: int) -> int:
    """Index behind "twins" or "twin sisters", which are two; 0 where no such words stand."""
    following = walk.text(index + 1)
    is_two = (
        walk.text(index) == "twin" and is_plural(following) and following not in PARTS and walk.text(index + 2) != "of"
    )
    if walk.text(index) not in _TWINS and not is_two:
        return 0
    noun = walk.words[index + is_two]
    is_told = any(mention.is_tag and mention.count > 1 for mention in walk.mentions)  # "2girls, twins"
    is_new = not is_told and walk.text(index - 1) not in ARTICLES | DETERMINERS
    if is_new and walk.clause.role in (Role.SUBJECT, Role.PEER):
        walk.mentions.append(Mention(_TWINS.get(noun.text, 2), (noun,), (walk.words[index],) if is_two else ()))
    return index + 1 + is_two
