"""Counted objects of a prompt, with the places of their words."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from .counts import CountedObject
from .mentions import Mention
from .notes import MAX_NOTES, Note
from .places import NounPlaces, Occurrence, attribute_spans
from .reading import read_text
from .words import Span


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
class PromptReading:
    """What a prompt asks for.

    Attributes:
        objects: in order of the prompt.
        notes: what it says of numbers without asking for a count.
    """

    objects: tuple[FoundObject, ...]
    notes: tuple[Note, ...] = ()

    @property
    def sentences(self) -> tuple[str, ...]:
        """The notes in words, each once."""
        return tuple(dict.fromkeys(map(str, self.notes)))[:MAX_NOTES]


def parse_prompt(text: str) -> tuple[CountedObject, ...]:
    """Counted objects that plain English `text` asks for, in order; empty where it asks for none.

    The same noun twice with the same attributes is one object with the sum of the counts ("two cats and three cats");
    with other attributes it is another object ("a red cat and a blue cat"). "the two cats" repeats and adds nothing.
    """
    return tuple(found.item for found in read_prompt_alone(text).objects)


def read_prompt_alone(text: str) -> PromptReading:
    """What `parse_prompt` gives with the places of its words, and what is said rather than counted.

    The time that it takes grows with the length of `text`, not with its square.
    """
    reading = read_text(text)
    places = NounPlaces(reading.words, text, reading.language)
    groups = _group(reading.mentions)
    ends = Counter(end for group in groups for end in {mention.noun[-1].end for mention in group})
    rivals = Counter(group[0].key for group in groups)
    objects = tuple(_found(group, places, ends, rivals[group[0].key] > 1) for group in groups)
    return PromptReading(objects, tuple(reading.notes))


def _found(group: Sequence[Mention], places: NounPlaces, ends: Counter[int], has_rivals: bool) -> FoundObject:
    """The object of a group.

    Args:
        ends: where the nouns of groups end, and of how many groups.
        has_rivals: whether another group has the same noun.
    """
    own = {mention.noun[-1].end for mention in group}
    noun = tuple(word.text for word in group[0].noun)
    attributes = tuple(word.text for word in group[0].attributes)
    owned = [place for place in places.of(noun) if _is_own(place, own, ends, attributes if has_rivals else None)]
    named = {(mention.noun[0].start, mention.noun[-1].end) for mention in group}
    spans = tuple(
        sorted({place.span for place in owned} | {span for span in named if not places.has(span) or not owned})
    )
    item = CountedObject(" ".join(noun), _total(group), attributes)
    return FoundObject(item, spans, attribute_spans(owned, group[0].attributes))


def _group(mentions: Sequence[Mention]) -> list[list[Mention]]:
    """Mentions of the same noun with the same attributes, together; "the two cats" joins the cats named before."""
    groups: list[list[Mention]] = []
    of_noun: dict[str, list[list[Mention]]] = defaultdict(list)
    for mention in mentions:
        attributes = {word.text for word in mention.attributes}
        same = of_noun[mention.key]
        for group in same:
            if attributes == {word.text for word in group[0].attributes} or (mention.known and not attributes):
                group.append(mention)
                break
        else:
            same.append([mention])
            groups.append(same[-1])
    return groups


def _total(group: Sequence[Mention]) -> int:
    """The sum of what is told anew; tags tell the whole, which "2 girls hugging" repeats, and "another girl" adds to."""
    if not any(mention.is_tag for mention in group):
        return group[0].count + sum(mention.count for mention in group[1:] if not mention.known)
    most = told = 0
    for mention in group:
        told = mention.count + (told if mention.is_further else 0)
        most = max(most, told)
    return most


def _is_own(place: Occurrence, own: set[int], ends: Counter[int], attributes: Sequence[str] | None) -> bool:
    """Whether an occurrence belongs to an object: one it was read from, or a later one that no other object claims.

    Args:
        own: where the nouns end that this object was read from.
        ends: where those of all objects end, and of how many.
        attributes: the object's attributes where another object has the same noun: they must then stand before it.
    """
    end = place.span[1]
    if end in own:
        return True
    if end in ends or ends[place.following] > (place.following in own):
        return False
    if attributes is None:
        return True
    before = {word.text for word in place.before}
    return bool(attributes) and before >= set(attributes)
