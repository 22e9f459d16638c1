"""Groups that say how many they are: "a family of four", "twins"."""

from __future__ import annotations

from ...mentions import Mention
from .counting_rules import Role
from .numbers import MAX_COUNT, read_number
from .vocabulary import ARTICLES, COLLECTIVES, DETERMINERS, numbers_in, word_set
from .walk import Walk
from .word_kinds import is_boundary

KINDS_OF_TWINS = word_set("kinds_of_twins")
_TWINS = numbers_in("twins")


def read_group(walk: Walk, index: int) -> int:
    """Index behind the number of "a family of four"; 0 where no such words stand."""
    number = read_number(walk.words, index) if index > 1 and walk.text(index - 1) == "of" else None
    if number is None or walk.text(index - 2) not in COLLECTIVES or not 1 < number[0] <= MAX_COUNT:
        return 0
    following = walk.text(number[1])
    if following and not is_boundary(following):
        return 0
    walk.mentions.append(Mention(number[0], (walk.words[index - 2],)))
    return number[1]


def read_twins(walk: Walk, index: int) -> int:
    """Index behind "twins" or "twin sisters", which are two; 0 where no such words stand."""
    is_two = walk.text(index) == "twin"
    if walk.text(index) not in _TWINS and not (is_two and walk.text(index + 1) in KINDS_OF_TWINS):
        return 0
    noun = walk.words[index + is_two]
    is_told = any(mention.is_tag and mention.count > 1 for mention in walk.mentions)  # "2girls, twins"
    is_new = not is_told and walk.text(index - 1) not in ARTICLES | DETERMINERS
    if is_new and walk.clause.role in (Role.SUBJECT, Role.PEER):
        walk.mentions.append(Mention(_TWINS.get(noun.text, 2), (noun,), (walk.words[index],) if is_two else ()))
    return index + 1 + is_two
