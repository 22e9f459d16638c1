"""Counted objects of a prompt, with the places of their words."""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .counts import CountedObject
from .languages.east_asian import has_east_asian
from .languages.english.word_kinds import is_adjective
from .languages.spaced import same_in
from .mentions import Mention
from .notes import MAX_NOTES, Note
from .plurals import noun_key, same_noun
from .reading import read_text
from .words import Span, Word


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


@dataclass(frozen=True)
class Occurrence:
    """One place where a noun stands.

    Attributes:
        span: characters of the prompt.
        text: the noun as it stands there, lower case.
        before: the words before it that may describe it.
        following: where the word right behind it ends; -1 where there is none.
    """

    span: Span
    text: str
    before: tuple[Word, ...] = ()
    following: int = -1


def parse_prompt(text: str) -> tuple[CountedObject, ...]:
    """Counted objects that plain English `text` asks for, in order; empty where it asks for none.

    The same noun twice with the same attributes is one object with the sum of the counts ("two cats and three cats");
    with other attributes it is another object ("a red cat and a blue cat"). "the two cats" repeats and adds nothing.
    """
    return tuple(found.item for found in find_objects(text))


def find_objects(text: str) -> tuple[FoundObject, ...]:
    """What `parse_prompt` gives, with the character spans of every noun occurrence and attribute.

    The time that it takes grows with the length of `text`, not with its square.
    """
    return read_prompt_alone(text).objects


def read_prompt_alone(text: str) -> PromptReading:
    """What `find_objects` gives, and what is said rather than counted."""
    reading = read_text(text)
    places = NounPlaces(reading.words, text, reading.language)
    groups = _group(reading.mentions)
    ends = Counter(end for group in groups for end in {mention.noun[-1].end for mention in group})
    rivals = Counter(noun_key(_noun_text(group[0])) for group in groups)
    objects = tuple(_found(group, places, ends, rivals[noun_key(_noun_text(group[0]))] > 1) for group in groups)
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


class NounPlaces:
    """Where nouns stand in the words of a prompt, without a look at every word for every noun."""

    def __init__(self, words: Sequence[Word], text: str = "", language: str = "en") -> None:
        self.words = words
        self._text = text.lower()
        self._language = language
        self._ends: dict[str, list[int]] = defaultdict(list)
        for index, word in enumerate(words):
            for key in self._keys(word.text):
                self._ends[key].append(index)

    def has(self, span: Span) -> bool:
        """Whether whole words stand at `span`."""
        at = bisect_left(self.words, span[0], key=lambda word: word.start)
        return at < len(self.words) and self.words[at].start == span[0]

    def of(self, noun: Sequence[str]) -> list[Occurrence]:
        """Every place where `noun` stands, singular or plural; "beam" is also found in "steel-beams"."""
        if has_east_asian(noun[-1]) or _WITHOUT_SPACES.search(noun[-1]):
            return self._inside(" ".join(noun))
        found, before = [], list(noun[:-1])
        for last in dict.fromkeys(index for key in self._keys(noun[-1]) for index in self._ends.get(key, ())):
            first = last - len(before)
            is_here = first >= 0 and [word.text for word in self.words[first:last]] == before
            if is_here and self._is_same(self.words[last].text, noun[-1]):
                found.append(self._without_elision(self._occurrence(first, last), noun))
        return sorted(found, key=lambda place: place.span)

    def _without_elision(self, place: Occurrence, noun: Sequence[str]) -> Occurrence:
        """The place less an article that an apostrophe ties to it: "un'ape"."""
        before, mark, after = place.text.rpartition("'")
        if self._language == "en" or not mark or not self._is_same(after, " ".join(noun)):
            return place
        return replace(place, span=(place.span[0] + len(before) + 1, place.span[1]), text=after)

    def _occurrence(self, first: int, last: int) -> Occurrence:
        behind = self.words[last + 1] if last + 1 < len(self.words) else None
        following = -1 if behind is None or behind.is_punctuation else behind.end
        text = " ".join(word.text for word in self.words[first : last + 1])
        around = _describing(self.words, first) if self._language == "en" else self._around(first, last)
        return Occurrence((self.words[first].start, self.words[last].end), text, around, following)

    def _around(self, first: int, last: int) -> tuple[Word, ...]:
        """What may describe a noun where adjectives stand on either side of it."""
        return (*self.words[max(first - _DESCRIBING, 0) : first], *self.words[last + 1 : last + 1 + _DESCRIBING])

    def _inside(self, noun: str) -> list[Occurrence]:
        """Places of a noun in a script that writes no spaces between words, or ties particles to them."""
        starts = [found.start() for found in re.finditer(re.escape(noun), self._text)][:_MOST_PLACES]
        return [Occurrence((start, start + len(noun)), noun) for start in starts]

    def _keys(self, text: str) -> set[str]:
        parts = re.split("[-']", text)
        if self._language == "en":
            return {noun_key(text), *(noun_key(part) for part in parts if len(part) > 1)}
        return {part[:_KEY] for part in (text, *parts) if part}

    def _is_same(self, text: str, noun: str) -> bool:
        parts = [text, *(re.split("[-']", text) if "-" not in noun else [])]
        if self._language == "en":
            return any(same_noun(part, noun) for part in parts)
        return any(part == noun or same_in(self._language, part, noun) for part in parts)


_DESCRIBING = 3
_WITHOUT_SPACES = re.compile("[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff]")  # Thai, Lao, Burmese, Khmer
_KEY = 3  # letters by which words are looked up that may have several endings
_MOST_PLACES = 1_000


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
    of_noun: dict[str, list[list[Mention]]] = defaultdict(list)
    for mention in mentions:
        attributes = {word.text for word in mention.attributes}
        same = of_noun[noun_key(_noun_text(mention))]
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


def _noun_text(mention: Mention) -> str:
    return " ".join(word.text for word in mention.noun)
