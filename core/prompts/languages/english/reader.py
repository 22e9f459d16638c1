"""Walks through a prompt and picks its counted noun phrases, by the rules of `counting_rules`."""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

from ...mentions import Mention, Reading
from ...notes import Kind, Note
from ...plurals import SAME_IN_BOTH, is_plural, noun_key, singular
from ...words import Word, said_of, text_at
from ..sums import without_parts_of_a_sum
from . import vocabulary
from .clause import Clause
from .counting_rules import Role, is_counted, is_second_half
from .determiners import Quantity, is_unit, read_quantity, skip_frame, skip_grouping, two_things_in_a_row
from .noun_phrase import NounPhrase, read_noun_phrase
from .numbers import MAX_COUNT, read_number
from .trailing_counts import read_trailing_count
from .uncounted import is_counted_noun, plural_of, read_uncounted, written
from .vocabulary import COLORS, numbers_in, word_set
from .word_kinds import is_base_verb, is_boundary

_IMPERATIVES = word_set("imperatives")
_NEGATIONS = word_set("negations")
_NEGATED_LISTS = frozenset(["and", "or", "nor", "any", "a", "an", "the", ","])
_SETS_OF_PEOPLE = numbers_in("sets_of_people")
KINDS_OF_TWINS = word_set("kinds_of_twins")
_ALONG = word_set("along")
_COUNTED_AS_THEY_ARE = word_set("counted_as_they_are")
_NAMED_AFTER_THINGS = word_set("named_after_things")
_TWINS = numbers_in("twins")
_MARKS = frozenset([",", "(", "\n"])  # a part of a thing behind one belongs to what was counted: "1girl, nine tails"
_OTHERS = frozenset(["other", "others"])  # the tag for somebody who is neither girl nor boy
_MOST_BY_MISTAKE = 20  # "three cat" is a slip of the pen, "500 castle" is not


def read_english(words: list[Word]) -> Reading:
    """Counted noun phrases of `words`, in order, and what they say of numbers without asking for a count."""
    reader = _Reader(words)
    read = reader.read()
    named = [mention for at, mention in enumerate(read) if not _is_named_by_a_tag(mention, read[at + 1 : at + 2])]
    listed = {before.end for before, mark in pairwise(words) if mark.text == ":"}  # "three people: a chef, ..."
    mentions = without_parts_of_a_sum(
        named, reader.stops, lambda part, whole: whole.noun[-1].end in listed or _can_be_part(part, whole)
    )
    tags = {noun_key(mention.noun[-1].text) for mention in mentions if mention.is_tag}
    return Reading(mentions, [note for note in reader.notes if not _is_told_by_a_tag(note, tags)])


def _is_told_by_a_tag(note: Note, tags: set[str]) -> bool:
    """Whether tags say how many a vague one means: "3girls, multiple girls"."""
    return note.kind is Kind.VAGUE and noun_key(note.fix.rpartition(" ")[2]) in tags


def _is_named_by_a_tag(group: Mention, following: Sequence[Mention]) -> bool:
    """Whether the next tag says who a group is: "group of 5, 5girls"."""
    is_group = group.noun[-1].text in vocabulary.COLLECTIVES
    return is_group and any(mention.is_tag and mention.count == group.count for mention in following)


def _can_be_part(part: Mention, whole: Mention) -> bool:
    """People of people, a kind of a class ("animals"), or the same noun that only the part describes."""
    if _is_of(vocabulary.OF_MANY_KINDS, whole) or (
        _is_of(vocabulary.PEOPLE, whole) and _is_of(vocabulary.PEOPLE, part)
    ):
        return True
    if _is_of(vocabulary.KINDS_OF_PEOPLE, part) and (
        _is_of(vocabulary.PROFESSIONS, whole) or singular(whole.noun[-1].text).endswith("man")
    ):
        return True
    is_same = singular(part.noun[-1].text) == singular(whole.noun[-1].text)
    return is_same and bool(part.attributes) and not whole.attributes


def _is_of(nouns: frozenset[str], mention: Mention) -> bool:
    return singular(mention.noun[-1].text) in nouns


class _Reader:
    def __init__(self, words: list[Word]) -> None:
        self.words = words
        self.mentions: list[Mention] = []
        self.notes: list[Note] = []
        self.parts = -1  # number of mentions of which the last was told apart: "three cats, one black"
        self.negated = -1  # index of the word that negates what follows
        self.of_noun: dict[str, list[Mention]] = defaultdict(list)
        self.stops = [word.end for word in words if word.text in {".", "!", ";", "\n"}]
        self.clause = Clause(words)
        self.waiting: list[tuple[Quantity, NounPhrase]] = []  # "two red" of "two red and three blue balls"

    def read(self) -> list[Mention]:
        index = 0
        while index < len(self.words):
            index = max(self._step(index), index + 1)
        return self.mentions

    def _text(self, index: int) -> str:
        return text_at(self.words, index)

    def _step(self, index: int) -> int:
        if (said := read_uncounted(self.words, index)) is not None:
            self.notes += [said.note] if said.note else []
            self.clause.at_start = False
            return said.after
        if self.clause.at_start and (trailing := read_trailing_count(self.words, index)) is not None:
            self._note(trailing.mention)
            return trailing.after
        if after := self._read_group(index):
            return after
        quantity = read_quantity(self.words, index)
        if quantity is None:
            return self._read_zero(index) or self._read_other(index)
        self.clause.at_start = False
        if (after := skip_frame(self.words, quantity.after)) > quantity.after:
            self.clause.role = Role.SUBJECT
            return after
        if (after := skip_grouping(self.words, quantity.after)) > quantity.after:
            return after
        return self._read_counted(index, quantity)

    def _read_zero(self, index: int) -> int:
        """Index behind "0 red circles", which no map of nothing can be steered to, or a number too high; 0 where none is."""
        number = read_number(self.words, index)
        if number is not None and number[0] > MAX_COUNT:
            return number[1]
        if number is None or number[0] != 0:
            return 0
        phrase = read_noun_phrase(self.words, number[1], True)
        if not is_counted_noun(phrase) or phrase.noun[-1].text in vocabulary.NOT_THINGS:
            return 0
        self.notes.append(Note(Kind.ZERO, said_of(self.words, index, phrase.after), plural_of(phrase)))
        return phrase.after

    def _read_counted(self, start: int, quantity: Quantity) -> int:
        phrase = read_noun_phrase(self.words, quantity.after, quantity.count > 1, self.clause.in_list)
        if after := self._read_without_noun(start, quantity, phrase):
            return after
        if self.parts == len(self.mentions) and phrase.noun[-1].text in COLORS and self._is_part(quantity, start):
            return phrase.after
        if quantity.stated and self._text(self.negated) == "no" and self._text(start - 1) == "and":
            self.negated = -1  # "no cars and two people"
        if self.negated >= 0:
            self._say_negated(start, phrase)
            return phrase.after
        if quantity.count > 1 and not self._is_several(phrase):
            self._say_singular(start, quantity, phrase)
            return self._after_measure(start, phrase)
        return self._read_thing(start, quantity, phrase)

    def _read_without_noun(self, start: int, quantity: Quantity, phrase: NounPhrase) -> int:
        """Index behind a number whose noun is elsewhere, or is no word of its own; 0 where it has one."""
        following = self._text(phrase.after)
        if quantity.is_tag and self._text(quantity.after) in _OTHERS:
            self._note(Mention(quantity.count, (self.words[quantity.after],), is_tag=True))
            return quantity.after + 1
        if quantity.is_further and self.mentions and self._is_bare(phrase):
            self._note(replace(self.mentions[-1], count=quantity.count, known=False, is_further=True))
            return quantity.after + 1  # behind "more"
        if phrase.noun:
            return 0
        if phrase.attributes and following in vocabulary.CONJUNCTIONS | {",", ""} and self._is_part(quantity, start):
            self.parts = len(self.mentions)
        elif phrase.attributes and following in vocabulary.CONJUNCTIONS:
            self.waiting.append((quantity, phrase))
        return max(phrase.after, start + 1)

    def _read_thing(self, start: int, quantity: Quantity, phrase: NounPhrase) -> int:
        role, following = self.clause.role_of(start, phrase), self._text(phrase.after)
        before, head = self._text(start - 1), phrase.noun[-1].text
        is_of_thing = self.mentions and before in _MARKS and head in vocabulary.PARTS
        is_meant_for = before == "for" and singular(head) in vocabulary.PEOPLE  # "a table set for eight guests"
        if not (is_of_thing or is_meant_for) and is_counted(phrase, role, quantity.stated, following):
            if self.clause.of_each:
                self._say_of_each(start, quantity, phrase)
            else:
                self._add(quantity, phrase)
        self.waiting = []
        self.clause.role = role
        if role is Role.SUBJECT and not quantity.stated and following in vocabulary.CONJUNCTIONS:
            return self._read_second_half(phrase.after)
        return self.clause.after_noun(phrase.after)

    def _is_part(self, quantity: Quantity, start: int) -> bool:
        """Whether a number tells what is among the things counted last in its sentence: "three cats, one black"."""
        if not self.mentions or not quantity.stated or quantity.count >= self.mentions[-1].count:
            return False
        end, place = self.mentions[-1].noun[-1].end, self.words[start].start
        return bisect_right(self.stops, end) == bisect_right(self.stops, place) and self._text(start - 1) in {
            ",", ":", "and", "(", "-", "–", "—",
        }  # fmt: skip

    def _is_bare(self, phrase: NounPhrase) -> bool:
        """Whether "seven more" has no noun of its own: "one firefly appears, then seven more join it"."""
        return not phrase.noun or (len(phrase.noun) == 1 and is_base_verb(phrase.noun[0].text))

    def _is_several(self, phrase: NounPhrase) -> bool:
        """Whether a number above one can belong to the phrase: its head is a plural, and no more than named by it."""
        head, following = phrase.noun[-1].text, self._text(phrase.after)
        measures = (len(phrase.noun) > 1 and is_unit(phrase.noun[0].text)) or (head == "feet" and following in _ALONG)
        return (
            (is_plural(head) or head in SAME_IN_BOTH | _COUNTED_AS_THEY_ARE)
            and not measures
            and following not in _NAMED_AFTER_THINGS
        )

    def _say_singular(self, start: int, quantity: Quantity, phrase: NounPhrase) -> None:
        """Say that "three cat" is not counted; a measure or a name ("5 star hotel", "Xbox 360") needs no word."""
        before, following = self._text(start - 1), self._text(phrase.after)
        names = start > 0 and before[:1].isalnum() and not is_boundary(before)
        is_plain = len(phrase.noun) == 1 and (not following or is_boundary(following)) and not quantity.is_tag
        unit = (
            is_unit(phrase.noun[0].text)
            or phrase.noun[0].text in vocabulary.NOT_THINGS | vocabulary.FRAMES
            or "-" in phrase.noun[0].text
        )
        if is_plain and not unit and not names and quantity.count <= _MOST_BY_MISTAKE:
            said = said_of(self.words, start, phrase.after)
            self.notes.append(Note(Kind.ONE_OF_IT, said, f"{written(quantity.count)} {plural_of(phrase)}"))

    def _say_of_each(self, start: int, quantity: Quantity, phrase: NounPhrase) -> None:
        """Say that "three girls each holding two balloons" counts no balloons."""
        total = quantity.count * (self.mentions[-1].count if self.mentions else 1)
        if 1 < quantity.count < total <= MAX_COUNT:
            said = said_of(self.words, start, phrase.after)
            self.notes.append(Note(Kind.ONE_OF_IT, said, f"{written(total)} {plural_of(phrase)}"))

    def _after_measure(self, start: int, phrase: NounPhrase) -> int:
        """Past a measure and its noun, or its frame: "8 bit pixel art of a cat"."""
        self.waiting = []
        return max(phrase.after, start + 1) + (self._text(phrase.after) == "of")

    def _say_negated(self, start: int, phrase: NounPhrase) -> None:
        if is_counted_noun(phrase):
            said = said_of(self.words, self.negated, phrase.after)
            noun = " ".join(word.text for word in (*phrase.attributes, *phrase.noun))
            self.notes.append(Note(Kind.NONE, said, noun))

    def _read_group(self, index: int) -> int:
        """Index behind the number of "a family of four"; 0 where no such words stand."""
        number = read_number(self.words, index) if index > 1 and self._text(index - 1) == "of" else None
        if number is None or self._text(index - 2) not in vocabulary.COLLECTIVES or not 1 < number[0] <= MAX_COUNT:
            return 0
        following = self._text(number[1])
        if following and not is_boundary(following):
            return 0
        self._note(Mention(number[0], (self.words[index - 2],)))
        return number[1]

    def _add(self, quantity: Quantity, phrase: NounPhrase) -> None:
        known = quantity.known or self._is_one_of_them(quantity, phrase)
        if phrase.noun[-1].text in {"one", "ones"} and self.mentions and phrase.attributes:
            phrase = self._of_the_same(phrase)
        count = quantity.count * _SETS_OF_PEOPLE.get(phrase.noun[-1].text, 1)
        for waiting, adjectives in self.waiting:
            self._note(Mention(waiting.count, phrase.noun, adjectives.attributes, waiting.known))
        self._note(Mention(count, phrase.noun, phrase.attributes, known, quantity.is_tag, quantity.is_further))

    def _of_the_same(self, phrase: NounPhrase) -> NounPhrase:
        """ "three small dogs and two big ones" are dogs, too."""
        same = self.mentions[-1].noun
        ones = phrase.noun[-1]
        return replace(phrase, noun=(*same[:-1], replace(same[-1], start=ones.start, end=ones.end)))

    def _note(self, mention: Mention) -> None:
        self.mentions.append(mention)
        self.of_noun[noun_key(" ".join(word.text for word in mention.noun))].append(mention)

    def _is_one_of_them(self, quantity: Quantity, phrase: NounPhrase) -> bool:
        """Whether the phrase tells more about things counted in a sentence before: "Two puppies. One puppy is black"."""
        if phrase.attributes or self._text(phrase.after) not in vocabulary.AUXILIARIES:
            return False
        before = bisect_right(self.stops, phrase.noun[0].start)
        if not before:
            return False
        noun = noun_key(" ".join(word.text for word in phrase.noun))
        return any(
            mention.count > quantity.count and mention.noun[-1].end <= self.stops[before - 1]
            for mention in self.of_noun[noun]
        )

    def _read_second_half(self, joint: int) -> int:
        """The second noun of "a bride and groom", "a woman and her dog"."""
        start = joint + 1
        if start >= len(self.words):
            return start
        shared = self._text(start) in vocabulary.POSSESSIVES
        if shared or two_things_in_a_row(self.words, start):
            phrase = read_noun_phrase(self.words, start + shared, False, True)
            if is_second_half(phrase):
                self._add(Quantity(1, False, False, start), phrase)
                return self.clause.after_noun(phrase.after)
        return self.clause.after_noun(joint)

    def _read_other(self, index: int) -> int:
        text = self._text(index)
        at_start, self.clause.at_start = self.clause.at_start, False
        if after := self._read_negated(index) or self._read_twins(index) or self.clause.read_peer_phrase(index):
            return after
        if text in vocabulary.DETERMINERS and not (text == "that" and is_boundary(self._text(index + 1) or ",")):
            return self._read_known(index)
        if self.clause.read_word(index, bool(self.mentions) and self.mentions[-1].noun[-1] is self.words[index - 1]):
            return index + 1
        if at_start and (after := max(skip_frame(self.words, index), skip_grouping(self.words, index))) > index:
            return after
        if not (at_start and text in _IMPERATIVES):
            self.clause.read_verb(index)
        return index + 1

    def _read_negation(self, index: int, text: str) -> None:
        before = self._text(index - 1)
        if text in _NEGATIONS or (text, before) in {("of", "instead"), ("than", "rather")}:
            self.negated = index - (before in {"instead", "rather"})
        elif text not in _NEGATED_LISTS or text == ",":
            self.negated = -1

    def _read_negated(self, index: int) -> int:
        """Index behind the bare noun of "no dogs" or "without any people"; 0 where none stands at `index`."""
        self._read_negation(index, self._text(index))
        if self.negated < 0:
            return 0
        following = index if self.words[index].text not in _NEGATIONS | _NEGATED_LISTS else index + 1
        if following >= len(self.words) or is_boundary(self._text(following)):
            return 0
        phrase = read_noun_phrase(self.words, following, True)
        self._say_negated(index, phrase)
        return phrase.after if is_counted_noun(phrase) else 0

    def _read_twins(self, index: int) -> int:
        """Index behind "twins" or "twin sisters", which are two; 0 where no such words stand."""
        is_two = self.words[index].text == "twin"
        if self._text(index) not in _TWINS and not (is_two and self._text(index + 1) in KINDS_OF_TWINS):
            return 0
        noun = self.words[index + is_two]
        is_told = any(mention.is_tag and mention.count > 1 for mention in self.mentions)  # "2girls, twins"
        is_new = not is_told and self._text(index - 1) not in vocabulary.ARTICLES | vocabulary.DETERMINERS
        if is_new and self.clause.role in (Role.SUBJECT, Role.PEER):
            attributes = (self.words[index],) if is_two else ()
            self._note(Mention(_TWINS.get(noun.text, 2), (noun,), attributes, False))
        return index + 1 + is_two

    def _read_known(self, index: int) -> int:
        """Past "the dancers" or "their paws", which name nothing new, and past their verb."""
        phrase = read_noun_phrase(self.words, index + 1, True)
        if (
            not phrase.noun
            or not is_plural(phrase.noun[-1].text)
            or (len(phrase.noun) > 1 and self._acts(phrase.after))
        ):
            phrase = read_noun_phrase(self.words, index + 1, False, True)
        if not phrase.noun:
            return index + 1
        self.clause.role = self.clause.role_of(index, phrase)
        return self.clause.after_noun(phrase.after)

    def _acts(self, index: int) -> bool:
        """Whether the word before `index` was a verb by what follows it: "the model strikes a pose"."""
        return self._text(index) in vocabulary.ARTICLES | vocabulary.DETERMINERS | vocabulary.PREPOSITIONS
