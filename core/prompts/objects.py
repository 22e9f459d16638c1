"""Counted objects of a prompt, with the places of their words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .counts import CountedObject
from .plurals import same_noun
from .reader import Mention, read_mentions
from .word_kinds import is_adjective
from .words import Span, Word, split_words


@dataclass(frozen=True)
class FoundObject:
    """A counted object and where the prompt names it.

    Attributes:
        item: what is counted.
        nouns: (start, end) character spans of every occurrence of the noun, in order; never empty.
        attributes: one tuple of spans per attribute of `item`, in the same order; each has at least one span.
    """

    item: CountedObject
    nouns: tuple[Span, ...]
    attributes: tuple[tuple[Span, ...], ...]


@dataclass(frozen=True)
class Occurrence:
    """One place where a noun stands: its words' indices `first` to `last`, and the words before it that may describe it."""

    first: int
    last: int
    before: tuple[Word, ...]


def parse_prompt(text: str) -> tuple[CountedObject, ...]:
    """Counted objects that plain English `text` asks for, in order; empty where it asks for none.

    The same noun twice with the same attributes is one object with the sum of the counts ("two cats and three cats");
    with other attributes it is another object ("a red cat and a blue cat"). "the two cats" repeats and adds nothing.
    """
    return tuple(found.item for found in find_objects(text))


def find_objects(text: str) -> tuple[FoundObject, ...]:
    """What `parse_prompt` gives, with the character spans of every noun occurrence and attribute."""
    words = split_words(text)
    groups = _group(read_mentions(text))
    own = [{mention.noun[-1].end for mention in group} for group in groups]
    found = []
    for position, group in enumerate(groups):
        noun = tuple(word.text for word in group[0].noun)
        attributes = tuple(word.text for word in group[0].attributes)
        others = set[int]().union(*(ends for index, ends in enumerate(own) if index != position))
        rivals = any(_same_words(noun, other[0]) for index, other in enumerate(groups) if index != position)
        places = [
            place
            for place in find_noun(words, noun)
            if _is_own(words, place, own[position], others, attributes if rivals else None)
        ]
        item = CountedObject(" ".join(noun), _total(group), attributes)
        spans = tuple((words[place.first].start, words[place.last].end) for place in places)
        found.append(FoundObject(item, spans, attribute_spans(places, group[0].attributes)))
    return tuple(found)


def find_noun(words: Sequence[Word], noun: Sequence[str]) -> list[Occurrence]:
    """Every place where `noun` stands in `words`, singular or plural; "beam" is also found in "steel-beams"."""
    size, places = len(noun), []
    for first in range(len(words) - size + 1):
        texts = [word.text for word in words[first : first + size]]
        if texts[:-1] == list(noun[:-1]) and _same_last(texts[-1], noun[-1]):
            places.append(Occurrence(first, first + size - 1, _describing(words, first)))
    return places


def attribute_spans(places: Sequence[Occurrence], known: Sequence[Word]) -> tuple[tuple[Span, ...], ...]:
    """For each attribute, its own span and those before the other occurrences of the noun."""
    result = []
    for attribute in known:
        spans = {(attribute.start, attribute.end)}
        spans |= {(word.start, word.end) for place in places for word in place.before if word.text == attribute.text}
        result.append(tuple(sorted(spans)))
    return tuple(result)


def _describing(words: Sequence[Word], first: int) -> tuple[Word, ...]:
    """Adjectives right before the word at `first`, those joined by "and" or a comma included."""
    kept: list[Word] = []
    index = first - 1
    while index >= 0 and len(kept) < 6:
        joint = words[index].text in {"and", ",", "&"} and index > 0 and kept and is_adjective(words[index - 1].text)
        if not joint and not is_adjective(words[index].text):
            break
        if not joint:
            kept.append(words[index])
        index -= 1
    return tuple(reversed(kept))


def _group(mentions: Sequence[Mention]) -> list[list[Mention]]:
    """Mentions of the same noun with the same attributes, together; "the two cats" joins the cats named before."""
    groups: list[list[Mention]] = []
    for mention in mentions:
        for group in groups:
            attributes = {word.text for word in mention.attributes}
            same = attributes == {word.text for word in group[0].attributes} or (mention.known and not attributes)
            if same and same_noun(_noun_text(mention), _noun_text(group[0])):
                group.append(mention)
                break
        else:
            groups.append([mention])
    return groups


def _total(group: Sequence[Mention]) -> int:
    return group[0].count + sum(mention.count for mention in group[1:] if not mention.known)


def _is_own(
    words: Sequence[Word], place: Occurrence, own: set[int], others: set[int], attributes: Sequence[str] | None
) -> bool:
    """Whether an occurrence belongs to an object: one it was read from, or a later one that no other object claims.

    Args:
        attributes: the object's attributes where another object has the same noun: they must then stand before it.
    """
    end = words[place.last].end
    if end in own:
        return True
    following = words[place.last + 1].end if place.last + 1 < len(words) else -1
    if end in others or (following in others and not words[place.last + 1].is_punctuation):
        return False
    if attributes is None:
        return True
    before = {word.text for word in place.before}
    return bool(attributes) and before >= set(attributes)


def _same_words(noun: Sequence[str], other: Mention) -> bool:
    return same_noun(" ".join(noun), _noun_text(other))


def _noun_text(mention: Mention) -> str:
    return " ".join(word.text for word in mention.noun)


def _same_last(text: str, noun: str) -> bool:
    return same_noun(text, noun) or ("-" in text and "-" not in noun and same_noun(text.rsplit("-", 1)[-1], noun))
